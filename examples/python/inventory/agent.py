"""An agent of several files: it imports its own package, and reads a file that lies in it."""

from importlib import resources

from store import Shelf, UnknownItem


def run(input):
    prices = resources.files("store").joinpath("prices.csv").read_text()
    shelf = Shelf.from_csv(prices)
    answer = {}
    for name, count in input["basket"].items():
        try:
            answer[name] = str(shelf.cost(name, count))
        except UnknownItem as error:
            answer[name] = str(error)
    return answer
