// What the parts of the page share: making elements, and telling sums and times as Russians do.

const ZONE = "Europe/Moscow";

export const byId = (id) => document.getElementById(id);
const money = new Intl.NumberFormat("ru-RU", {
  style: "currency", currency: "RUB", trailingZeroDisplay: "stripIfInteger",
});
export const rubles = (amount) => money.format(Number(amount));
const format = (options) => {
  const formatter = new Intl.DateTimeFormat("ru-RU", { timeZone: ZONE, ...options });
  return (moment) => formatter.format(new Date(moment));
};
export const clock = format({ hour: "2-digit", minute: "2-digit" });
export const day = format({ day: "numeric", month: "long" });

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function press(buttons, pressed) {
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button === pressed));
  }
}
