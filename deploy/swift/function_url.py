"""Swift proxy filter: after a successful PUT of an object that carries X-Function-URL, tells that URL about it.

    [filter:function_url]
    paste.filter_factory = function_url:filter_factory
    # Only URLs that begin with one of these (comma-separated) are called; without it, none is. End each with a slash.
    allowed_prefix = https://functions.example.org/-/hooks/
    # Whether the function gets the uploader's token, as `x-auth-token`. It can do with it all that the uploader can.
    pass_token = false
    # Seconds until a call is given up, and calls under way at once; one more is left out, with a line in the log.
    timeout = 10
    concurrency = 100

Put it behind the filters for authentication and before `copy slo dlo`. The uploader never waits for the function.
"""
import json
import urllib.request

from eventlet import GreenPool
from swift.common.swob import wsgi_to_str
from swift.common.utils import config_true_value, get_logger, list_from_csv, split_path


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """An allowed URL must not lead to one that is not."""

    def redirect_request(self, *args, **kwargs):
        return None


class FunctionUrl:
    def __init__(self, app, conf):
        self.app = app
        self.logger = get_logger(conf, log_route='function_url')
        self.allowed = tuple(list_from_csv(conf.get('allowed_prefix', '')))
        self.pass_token = config_true_value(conf.get('pass_token', 'false'))
        self.timeout = float(conf.get('timeout', 10))
        self.calls = GreenPool(int(conf.get('concurrency', 100)))
        # No proxies of the environment, no other schemes than http and https.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())

    def __call__(self, env, start_response):
        url = env.get('HTTP_X_FUNCTION_URL')
        if url is None or env['REQUEST_METHOD'] != 'PUT' or env.get('swift.source') is not None:
            return self.app(env, start_response)
        body = self.event(env)

        def respond(status, headers, exc_info=None):
            if body is not None and status.startswith('2'):
                self.notify(url, body)
            return start_response(status, headers, exc_info)

        return self.app(env, respond)

    def event(self, env):
        try:
            version, account, container, name = split_path(wsgi_to_str(env['PATH_INFO']), 4, 4, True)
        except ValueError:
            return None
        return {
            'x-auth-token': env.get('HTTP_X_AUTH_TOKEN') if self.pass_token else None,
            'version': version,
            'account': account,
            'container': container,
            'object': name,
            'project_id': env.get('HTTP_X_PROJECT_ID'),
            'transaction': env.get('swift.trans_id'),
        }

    def notify(self, url, body):
        if not (url.startswith(('http://', 'https://')) and url.startswith(self.allowed)):
            self.logger.info('X-Function-URL is not allowed; nothing was called')
        elif self.calls.free() <= 0:
            self.logger.warning('too many functions are being called; one was left out')
        else:
            self.calls.spawn_n(self.post, url, json.dumps(body).encode())

    def post(self, url, body):
        request = urllib.request.Request(url, body, {'Content-Type': 'application/json'})
        try:
            with self.opener.open(request, timeout=self.timeout) as response:
                response.read(1)
        except Exception as error:
            # The URL is a secret of its owner, so it does not go into the log.
            self.logger.warning('a function could not be called: %s', type(error).__name__)


def filter_factory(global_conf, **local_conf):
    conf = dict(global_conf, **local_conf)
    return lambda app: FunctionUrl(app, conf)
