"""The plan of a loan with equal payments, as a Lambda handler behind an HTTP API."""

import json
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

CENT = Decimal("0.01")
MONTHS_MAX = 600


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    try:
        amount = Decimal(query["amount"])
        percent = Decimal(query.get("percent", "3"))
        months = int(query.get("months", "12"))
    except (KeyError, InvalidOperation, ValueError):
        return answer(400, {"error": "ask for ?amount=10000&percent=3.5&months=24"})
    if not (0 < amount <= 10**9 and 0 <= percent <= 100 and 0 < months <= MONTHS_MAX):
        return answer(422, {"error": f"amount, percent or months (1 to {MONTHS_MAX}) is out of range"})
    payments = plan(amount, percent / 1200, months)
    total = sum((Decimal(each["payment"]) for each in payments), Decimal(0))
    return answer(200, {"payments": payments, "total": str(total), "interest": str(total - amount)})


def plan(amount, rate, months):
    """Each month's payment, its interest and what is left; the last one takes up what rounding left over."""
    growth = (1 + rate) ** months
    payment = cents(amount * rate * growth / (growth - 1) if rate else amount / months)
    left, payments = amount, []
    for month in range(1, months + 1):
        interest = cents(left * rate)
        paid = left + interest if month == months else min(payment, left + interest)
        left = left + interest - paid
        payments.append({"month": month, "payment": str(cents(paid)), "interest": str(interest), "left": str(cents(left))})
    return payments


def cents(value):
    return value.quantize(CENT, ROUND_HALF_UP)


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
