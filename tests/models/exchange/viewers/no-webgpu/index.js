export const globals = {};
export const create = () => undefined;
