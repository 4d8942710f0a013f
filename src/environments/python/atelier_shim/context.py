"""What a handler is told beside the request."""

import logging
import time


class Context:
    def __init__(self, call, spec):
        self._call = call
        self._spec = spec

    @property
    def invocation_id(self):
        """The caller has it as `atelier-invocation-id`."""
        return self._call.id

    @property
    def deadline(self):
        """Epoch seconds at which the platform gives up."""
        return self._call.deadline / 1000

    def remaining_ms(self):
        return max(0, self._call.deadline - int(time.time() * 1000))

    @property
    def cancelled(self):
        """Why nobody waits for the answer any more: `client`, `deadline` or `shutdown`; None while somebody does."""
        return self._call.cancel_reason

    @property
    def config(self):
        return self._spec["config"]

    @property
    def secrets(self):
        return self._spec["secrets"]

    @property
    def function(self):
        """{"project", "app", "name", "version"}"""
        return self._spec["function"]

    @property
    def instance(self):
        return self._spec["instance"]

    @property
    def memory_mib(self):
        return self._spec["memoryMiB"]

    @property
    def traceparent(self):
        return self._call.header("traceparent")

    @property
    def token(self):
        """A token of the project, good for the whole call, where the function was lent roles (`tokenRoles`)."""
        return self._call.header("atelier-auth-token")

    @property
    def auth_url(self):
        """Where the token is known: what OpenStack's clients call OS_AUTH_URL."""
        return self._call.header("atelier-auth-url")

    @property
    def project_id(self):
        return self._call.header("atelier-project-id")

    @property
    def log(self):
        return logging.getLogger(self._spec["function"]["name"])

    def cloud_event(self, request):
        """The CloudEvent that `request` is, in whichever mode it came, as a dictionary; None when it is none."""
        from .cloud_event import cloud_event_of

        return cloud_event_of(request)

    def upgrade_websocket(self, protocol=None):
        """Accepts the WebSocket that this call offers; it is open until it is closed or the handler returns."""
        from .websocket import accept

        return accept(self._call, protocol)


class LambdaContext:
    """The names that handlers written for AWS Lambda read."""

    invoked_function_arn = ""
    log_group_name = ""

    def __init__(self, context):
        self.atelier = context
        self.aws_request_id = context.invocation_id
        self.function_name = context.function["name"]
        self.function_version = str(context.function["version"])
        self.memory_limit_in_mb = str(context.memory_mib)
        self.log_stream_name = context.instance

    def get_remaining_time_in_millis(self):
        return self.atelier.remaining_ms()
