import { format } from "./money";

export const describe = ({ name, count, price }) => `${count} × ${name} at ${format(price)}`;
