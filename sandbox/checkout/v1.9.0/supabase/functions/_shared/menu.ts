/** The menu as agent-core words it, for when agent-core does not answer. */
export const MENU = {
  text: "Welcome to EasyMO. What would you like to do?",
  buttons: [
    "Find vendors",
    "Fuel stations",
    "Book a ride",
    "Rent a home",
    "My wallet",
    "Help",
  ],
};
