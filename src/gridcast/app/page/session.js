// The key lives in this tab alone: session storage, never a cookie, an address or a disk.

const NAME = "gridcast.key";

export const readKey = () => sessionStorage.getItem(NAME);
export const keepKey = (key) => sessionStorage.setItem(NAME, key);
export const forgetKey = () => sessionStorage.removeItem(NAME);
