export const MENU = [
  "EasyMO menu",
  "1 Vendors nearby",
  "2 Moto or cab",
  "3 Fuel stations",
  "4 Properties",
  "5 Wallet",
  "6 Help",
].join("\n");
