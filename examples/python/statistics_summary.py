"""Describes numbers: mean, median, spread, quartiles, correlation and a straight line through them."""

import statistics


def run(input):
    x, y = input["x"], input["y"]
    slope, intercept = statistics.linear_regression(x, y)
    return {
        "mean": statistics.fmean(y),
        "median": statistics.median(y),
        "stdev": round(statistics.stdev(y), 9),
        "quartiles": statistics.quantiles(y, n=4),
        "modes": statistics.multimode(y),
        "correlation": round(statistics.correlation(x, y), 9),
        "line": {"slope": round(slope, 9), "intercept": round(intercept, 9)},
    }
