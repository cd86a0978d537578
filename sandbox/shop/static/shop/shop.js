// The shop's page. It does what the real front end does, in the same order: signs in, reads the catalogue, inserts its
// own pending payment, asks the API to start it, shows the provider's form, and asks the API how it ended.
import { Refused, call, json, log, setCaller, step } from "./calls.js";
import { byId, clock, day, element, press, rubles } from "./page.js";

const LOOK_AGAIN_MS = 700;
const LOOKS = 20;
const PAYMENTS_SHOWN = 5;
const STATUSES = {
  pending: "ожидает", processing: "в обработке", completed: "оплачен",
  failed: "не прошёл", cancelled: "отменён", refunded: "возвращён",
};
const OUTCOMES = {
  completed: "Оплата прошла", failed: "Оплата не прошла", cancelled: "Платёж отменён",
  refunded: "Деньги возвращены", processing: "Касса ещё думает", pending: "Касса ещё думает",
};
const REFUSALS = {
  slot_taken: "Это время только что заняли. Выберите, пожалуйста, другое.",
  amount_mismatch: "Цена изменилась. Обновите страницу и выберите ещё раз.",
  throttled: "Слишком много попыток. Подождите минуту и повторите.",
};
const QUESTIONNAIRES = { checkup: "Опросник о ребёнке", parent: "Опросник о себе", family: "Опросник о семье" };

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));

// What is on sale, by its id: a payment names what it is for by that.
let names = new Map();
let chosen = null;
let time = null;
let form = null;

async function signIn(button) {
  setCaller(null);
  setCaller(await json("POST", "sign-in", { user_id: button.dataset.user }));
  press(document.querySelectorAll(".families .card"), button);
  chosen = null;
  putFormAway();
  byId("booking").hidden = byId("payment").hidden = true;
  await showOffers();
  await showPayments();
  byId("offers").hidden = byId("history").hidden = false;
}

async function showOffers() {
  const offers = await json("GET", "offers");
  byId("member").replaceChildren(
    element("option", { value: "" }, "вся семья"),
    ...offers.members.map((member) => element("option", { value: member.id }, member.name)),
  );
  names = new Map([...offers.consultations, ...offers.packages].map((one) => [one.id, one.name]));
  byId("goods").replaceChildren(
    ...offers.consultations.map((one) => good({ ...one, type: "appointment", note: `${one.minutes} минут` })),
    ...offers.packages.map((one) => good({ ...one, type: "package", note: `Пакет, встреч: ${one.sessions}` })),
  );
  await showReports(offers.assessments);
}

function good(offer) {
  const card = element(
    "button", { type: "button", className: `card ${offer.type}` },
    element("strong", {}, offer.name), element("small", {}, `${offer.note}. ${offer.description}`),
    element("b", {}, rubles(offer.price)),
  );
  card.dataset.offer = offer.id;
  card.setAttribute("aria-pressed", "false");
  card.addEventListener("click", () => choose(offer, card));
  return card;
}

function choose(offer, card) {
  press(byId("goods").children, card);
  chosen = offer;
  time = null;
  putFormAway();
  byId("booking").hidden = offer.type !== "appointment";
  byId("payment").hidden = false;
  if (offer.type === "appointment") {
    showTimes(offer.times);
  }
  showButton();
}

function showTimes(times) {
  const parts = [];
  let shown = "";
  for (const moment of times) {
    if (day(moment) !== shown) {
      shown = day(moment);
      parts.push(element("span", {}, `${shown}, время московское`));
    }
    const button = element("button", { type: "button" }, clock(moment));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      time = moment;
      press(byId("times").querySelectorAll("button"), button);
      putFormAway();
      showButton();
    });
    parts.push(button);
  }
  byId("times").replaceChildren(...parts);
}

function showButton() {
  const ready = chosen.type === "package" || time !== null;
  byId("pay").disabled = !ready;
  byId("pay").hidden = false;
  byId("pay").textContent = ready ? `Оплатить ${rubles(chosen.price)}` : "Выберите время";
}

function putFormAway() {
  form?.destroy();
  form = null;
  byId("refusal").hidden = byId("outcome").hidden = true;
}

function order() {
  if (chosen.type === "package") {
    return { type: "package", package_id: chosen.id };
  }
  const member = byId("member").value;
  return {
    type: "appointment", package_id: null, appointment_type_id: chosen.id, scheduled_at: time,
    ...(member ? { profile_id: member } : {}),
  };
}

async function pay() {
  byId("pay").disabled = true;
  byId("log").replaceChildren();
  putFormAway();
  const bill = { amount: Number(chosen.price), currency: "RUB", metadata: order() };
  try {
    const row = await step("Строка payments записана в Supabase", "POST", "payments", bill);
    const started = await step("Платёж начат", "POST", "/api/payments/create", bill, { "Idempotency-Key": row.id });
    await showForm(row.id, started.confirmation_token);
  } catch (error) {
    showRefusal(error);
  }
}

async function showForm(paymentId, token) {
  if (!window.YooMoneyCheckoutWidget) {
    throw new Refused("касса не отвечает, форма оплаты не загрузилась");
  }
  form = new window.YooMoneyCheckoutWidget({
    confirmation_token: token,
    error_callback: ({ error }) => leave(paymentId, error).catch(showRefusal),
  });
  for (const [event, ...entry] of [["success", "Форма: оплачено"], ["fail", "Форма: оплата не прошла", "", "bad"]]) {
    form.on(event, () => {
      log(...entry);
      finish(paymentId).catch(showRefusal);
    });
  }
  await form.render("payment-form");
  log("Форма ЮKassa показана");
  byId("pay").hidden = true;
  byId("payment-form").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

// Whoever goes away without paying may come back, and sees how things stand.
async function leave(paymentId, error) {
  if (error !== "token_expired") {
    throw new Refused(`форма оплаты: ${error}`);
  }
  log("Форма закрыта без оплаты");
  await finish(paymentId, "Вы не завершили оплату");
}

// The notification may be quicker than we, or slower: the API asks the provider itself.
async function finish(paymentId, title = "") {
  let found = await step("Итог запрошен", "POST", "/api/payments/verify", { payment_id: paymentId });
  for (let look = 1; look < LOOKS && ["pending", "processing"].includes(found.status); look += 1) {
    await pause();
    found = await json("POST", "/api/payments/verify", { payment_id: paymentId });
  }
  const bought = await json("GET", `payments/${paymentId}/bought`);
  form?.destroy();
  byId("booking").hidden = true;
  showOutcome(found.payment, bought, title);
  await showOffers();
  await showPayments();
}

function showOutcome(payment, bought, title) {
  const { mails, yookassa } = document.body.dataset;
  const paid = payment.status === "completed";
  const goods = [];
  if (bought.scheduled_at) {
    goods.push(`Консультация записана: ${day(bought.scheduled_at)}, ${clock(bought.scheduled_at)} МСК.`);
  }
  if (bought.sessions) {
    goods.push(`Пакет открыт, осталось встреч: ${bought.sessions}.`);
  }
  if (paid && !goods.length) {
    goods.push("Деньги получены, но записать не вышло: платёж ждёт сотрудника в админке.");
  }
  if (["failed", "cancelled"].includes(payment.status)) {
    goods.push("Деньги не списаны. Выберите ещё раз, чтобы попробовать снова.");
  }
  const link = (href, text) => (href ? [element("a", { href, target: "_blank", rel: "noopener" }, text)] : []);
  byId("outcome").className = paid ? "outcome" : "outcome bad";
  byId("outcome").dataset.status = payment.status;
  byId("outcome").replaceChildren(
    element("h3", {}, `${(!paid && title) || OUTCOMES[payment.status]}: ${rubles(payment.amount)}`),
    ...goods.map((text) => element("p", {}, text)),
    element(
      "p", { className: "links" },
      ...link(mails, "Письма"),
      ...link(`/admin/payments/payment/${payment.id}/change/`, "Платёж в админке"),
      ...link(yookassa && payment.external_payment_id && `${yookassa}pay/${payment.external_payment_id}`, "Платёж в кассе"),
    ),
  );
  byId("outcome").hidden = false;
}

function showRefusal(error) {
  byId("refusal").textContent = REFUSALS[error.code] || `Не получилось (${error.message})`;
  byId("refusal").hidden = false;
  showButton();
}

async function showPayments() {
  const newest = (await json("GET", "/api/payments")).results.slice(0, PAYMENTS_SHOWN);
  byId("payments").replaceChildren(...(newest.length ? newest.map(paymentRow) : [element("li", {}, "Пока нет")]));
}

function paymentRow(payment) {
  return element(
    "li", {},
    element("strong", {}, boughtName(payment.metadata || {})),
    element("span", {}, rubles(payment.amount)),
    element("span", { className: `status ${payment.status}` }, STATUSES[payment.status] || payment.status),
    element("small", {}, `№\u00a0${payment.id.slice(0, 8)}, ${day(payment.created_at)}, ${clock(payment.created_at)}`),
  );
}

const GOODS = { appointment: "Консультация", package: "Пакет встреч" };

// The catalogue's name, while the thing is on sale.
function boughtName({ type, package_id: packageId, appointment_type_id: kindId }) {
  return names.get(type === "package" ? packageId : kindId) || GOODS[type] || "Заказ";
}

async function showReports(assessments) {
  const { results } = await json("GET", "/api/reports");
  const made = new Map(results.filter((one) => one.report_type === "pdf").map((one) => [one.assessment_id, one]));
  const rows = assessments.map((assessment) => reportRow(assessment, made.get(assessment.id)));
  byId("reports").replaceChildren(...(rows.length ? rows : [element("li", {}, "Сначала нужен пройденный опросник")]));
}

function reportRow(assessment, report) {
  const button = element("button", { type: "button" }, report?.file_url ? "Скачать" : "Сделать отчёт");
  const state = element("small", { role: "status" }, `${QUESTIONNAIRES[assessment.kind] || assessment.kind}, ${day(assessment.completed_at)}`);
  if (!assessment.has_results && !report?.file_url) {
    state.textContent += ". Результаты ещё подсчитываются: отчёт будет после этого.";
    return element("li", {}, element("span", {}, assessment.name), state);
  }
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      report = report?.file_url ? report : await makeReport(assessment);
      await download(report);
      button.textContent = "Скачать";
    } catch (error) {
      state.textContent = REFUSALS[error.code] || error.message;
    }
    button.disabled = false;
  });
  return element("li", {}, element("span", {}, assessment.name), button, state);
}

async function makeReport(assessment) {
  let report = await json("POST", "/api/reports", { assessment_id: assessment.id, report_type: "pdf" });
  for (let look = 0; look < LOOKS && !report.file_url && report.status !== "failed"; look += 1) {
    await pause();
    report = await json("GET", `/api/reports/${report.id}`);
  }
  if (!report.file_url) {
    throw new Refused(
      report.status === "failed"
        ? "Отчёт сделать не вышло: сотрудник видит это в админке."
        : "Отчёт ещё готовится. Нажмите ещё раз через минуту.",
    );
  }
  return report;
}

async function download(report) {
  // The API may name itself otherwise than this page does, and the page may only call its own address.
  const answer = await call("GET", new URL(report.file_url).pathname);
  const address = URL.createObjectURL(await answer.blob());
  element("a", { href: address, download: "Отчёт.pdf" }).click();
  URL.revokeObjectURL(address);
}

for (const button of document.querySelectorAll(".families .card")) {
  button.addEventListener("click", () => signIn(button).catch(showRefusal));
}
byId("pay").addEventListener("click", pay);
