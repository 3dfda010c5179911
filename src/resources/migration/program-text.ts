export const programText = "";
