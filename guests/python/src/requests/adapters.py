"""Adapters can be mounted, so that programs that configure retries run; the host makes the connections."""

DEFAULT_POOLSIZE = 10
DEFAULT_RETRIES = 0


class BaseAdapter:
    def close(self):
        pass


class HTTPAdapter(BaseAdapter):
    """Its settings are kept, and change nothing."""

    def __init__(self, pool_connections=DEFAULT_POOLSIZE, pool_maxsize=DEFAULT_POOLSIZE, max_retries=DEFAULT_RETRIES, pool_block=False):
        self.max_retries = max_retries
