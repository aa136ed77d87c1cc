export const a = <b>c</b>;
