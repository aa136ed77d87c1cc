declare const nothing: string;
