"""How handlers are written: plain functions, AWS Lambda's, WSGI and ASGI. Each gives `handle(call, context)`."""

import inspect


class Handle:
    """Runs one call; a coroutine when `is_async`."""

    def __init__(self, run, is_async=False):
        self._run = run
        self.is_async = is_async

    def __call__(self, call, context):
        return self._run(call, context)


def convention_for(target, name, convention):
    if convention is None:
        convention = detect(target, name)
    return CONVENTIONS[convention](target)


def detect(target, name):
    names = positional(target)
    if names[1:2] == ["start_response"]:
        return "wsgi"
    if names[:3] == ["scope", "receive", "send"]:
        return "asgi"
    if names[:1] == ["event"] or name == "lambda_handler":
        return "lambda"
    return "plain"


def positional(target):
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return ["request"]
    fixed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in fixed]


def is_async(target):
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None))


def plain(target):
    from .messages import Request

    count = min(2, len(positional(target)))
    if inspect.isasyncgenfunction(target):

        async def run(call, context):
            return target(*(Request(call), context)[:count])

        return Handle(run, True)
    return Handle(lambda call, context: target(*(Request(call), context)[:count]), is_async(target))


def aws_lambda(target):
    from .aws_lambda import event_of, response_of
    from .context import LambdaContext

    if is_async(target):

        async def run(call, context):
            return response_of(await target(event_of(call), LambdaContext(context)))

        return Handle(run, True)
    return Handle(lambda call, context: response_of(target(event_of(call), LambdaContext(context))))


def wsgi(target):
    from .wsgi import run

    return Handle(lambda call, context: run(target, call, context))


def asgi(target):
    from .asgi import run

    return Handle(lambda call, context: run(target, call, context), True)


CONVENTIONS = {"plain": plain, "lambda": aws_lambda, "wsgi": wsgi, "asgi": asgi}
