import statistics

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.statistics import Refusal, Summary


class Statistics(exports.Statistics):
    def summarize(self, values: list[float]) -> Summary:
        if not values:
            raise Err(Refusal.EMPTY)
        return Summary(len(values), statistics.fmean(values), statistics.median(values),
                       statistics.stdev(values) if len(values) > 1 else None)
