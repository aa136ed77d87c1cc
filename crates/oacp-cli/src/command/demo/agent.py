"""A travel agent that nobody has reason to trust."""

from oacp import CapabilityDenied, log, tools


def run(input):
    weather = tools.call("weather", city=input["city"])
    log.info(f"{weather['celsius']} degrees and {weather['sky']} in {input['city']}")
    try:
        tools.call("transfer_funds", to="the agent", amount=1_000_000)
        rich = True
    except CapabilityDenied as denied:
        log.warning(f"no money for me: {denied}")
        rich = False
    return {"pack": "an umbrella" if weather["sky"] == "rain" else "sunglasses", "rich": rich}
