"""Settles an expense claim: adds it up at today's rates, checks the account it is paid to, and says by when."""

from oacp import tools

WORKDAYS_TO_PAY = 10


def run(input):
    account = tools.call("check_digits.iban", number=input["account"])
    if not account["is_right"]:
        return {"refused": f"the account {input['account']} was mistyped"}
    claim = tools.call("expenses", items=input["items"], currency=input["currency"])
    return {
        "pay": f"{claim['total']} {input['currency']}",
        "to": account["number"],
        "by": tools.call("workdays.shift", day=input["submitted"], workdays=WORKDAYS_TO_PAY, country=input["country"]),
        "by_kind": claim["by_kind"],
        "rates": claim["rates"],
    }
