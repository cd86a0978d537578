"""A customer's browser: a tab of the front end that remembers what it was answered."""

from sandbox.demo.payments.customers import Customer
from sandbox.frontend import Answer, HttpApi, Order, Tab


class Browser(Tab):
    """One customer's. `answers` are the statuses that starting payments got so far, in order."""

    def __init__(self, customer: Customer, api: str) -> None:
        super().__init__(customer.id, HttpApi(api), email=customer.email)
        self.customer = customer
        self.answers: list[int] = []

    def create(self, order: Order, *, key: str = "") -> Answer:
        answer = super().create(order, key=key)
        self.answers.append(answer.status)
        return answer

    def write_status(self, payment_id: str, status: str) -> None:
        self.write("UPDATE public.payments SET status = %s WHERE id = %s", status, payment_id)
