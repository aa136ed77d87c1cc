"""Compares homes on offer: their sizes in the same unit, what a square metre costs, and what the loan costs in a month."""

from oacp import tools


def run(input):
    homes = sorted((appraised(home, input["loan"]) for home in input["homes"]), key=lambda home: home["per_square_metre"])
    affordable = [home["name"] for home in homes if float(home["monthly"]) <= input["monthly_most"]]
    return {"homes": homes, "best": affordable[0] if affordable else None}


def appraised(home, terms):
    size = tools.call("units", value=home["size"], unit=home["unit"], to="m2")
    plan = tools.call("loan", amount=str(home["price"] - terms["own"]), rate=terms["rate"], months=terms["months"], first=terms["first"])
    return {
        "name": home["name"],
        "square_metres": round(size, 1),
        "per_square_metre": round(home["price"] / size, 2),
        "monthly": plan["payment"],
        "interest": plan["interest"],
        "repaid": plan["payments"][-1]["due"],
    }
