// The sandbox's form with the interface of YooKassa's:
// https://yookassa.ru/developers/payment-acceptance/integration-scenarios/widget/reference
(function () {
  "use strict";

  const origin = new URL(document.currentScript.src).origin;
  const EVENTS = ["success", "fail", "complete", "modal_close"];

  class YooMoneyCheckoutWidget {
    constructor({ confirmation_token, return_url, error_callback } = {}) {
      this.token = confirmation_token;
      this.returnUrl = return_url;
      this.onError = error_callback || function () {};
      this.handlers = {};
      this.frame = null;
      this.ended = false;
      this.listen = this.listen.bind(this);
    }

    on(event, handler) {
      if (!EVENTS.includes(event)) {
        throw new Error(`unknown event ${event}`);
      }
      (this.handlers[event] ||= []).push(handler);
    }

    // Resolves when the form is there.
    render(elementId) {
      const place = document.getElementById(elementId);
      if (!place) {
        return Promise.reject(new Error(`no element with the id ${elementId}`));
      }
      this.destroy();
      this.ended = false;
      window.addEventListener("message", this.listen);
      this.frame = document.createElement("iframe");
      this.frame.src = `${origin}/widget?token=${encodeURIComponent(this.token)}`;
      this.frame.title = "Оплата";
      this.frame.width = "100%";
      this.frame.height = "680";
      this.frame.setAttribute("frameborder", "0");
      return new Promise((resolve) => {
        this.frame.addEventListener("load", () => resolve(), { once: true });
        place.replaceChildren(this.frame);
      });
    }

    destroy() {
      window.removeEventListener("message", this.listen);
      if (this.frame) {
        this.frame.remove();
        this.frame = null;
      }
    }

    listen(message) {
      const ours = this.frame && message.source === this.frame.contentWindow && message.origin === origin;
      if (!ours || this.ended || !message.data || message.data.source !== "yookassa-sandbox") {
        return;
      }
      this.ended = true;
      const outcome = message.data.outcome;
      if (outcome !== "success" && outcome !== "fail") {
        this.onError({ error: outcome });
      } else if (this.returnUrl) {
        window.location.assign(this.returnUrl);
      } else {
        this.tell(outcome);
        this.tell("complete", { status: outcome });
      }
    }

    tell(event, ...details) {
      for (const handler of this.handlers[event] || []) {
        handler(...details);
      }
    }
  }

  window.YooMoneyCheckoutWidget = YooMoneyCheckoutWidget;
})();
