"""Lists the servers of the project that calls are made for, with the token that the deployer lent: no password is in the code.

COMPUTE_URL in the configuration names the compute service where the cloud's catalogue does not, or another one than it does; OS_REGION_NAME
chooses among several.
"""

import json
import urllib.request

TIMEOUT_S = 10
PAGES_MAX = 100


def main(request, context):
    if context.token is None:
        raise RuntimeError('there is no token: deploy with "tokenRoles": ["reader"]')
    compute = context.config.get("COMPUTE_URL") or compute_of(catalog(context), context.config.get("OS_REGION_NAME"))
    servers = [
        {"id": server["id"], "name": server["name"], "status": server["status"], "addresses": addresses(server)}
        for server in listed(f"{compute.rstrip('/')}/servers/detail", context.token)
    ]
    print(f"You have {len(servers)} servers.")
    return {"project": context.project_id, "count": len(servers), "servers": servers}


def catalog(context):
    """What the token's project is offered, as Keystone tells whoever shows a token."""
    return get(f"{context.auth_url.rstrip('/')}/auth/catalog", context.token)["catalog"]


def compute_of(catalog, region):
    for service in catalog:
        if service["type"] != "compute":
            continue
        for endpoint in service["endpoints"]:
            if endpoint["interface"] == "public" and region in (None, endpoint["region"]):
                return endpoint["url"]
    where = "" if region is None else f" in the region {region}"
    raise RuntimeError(f"the catalogue has no compute service{where}: set COMPUTE_URL")


def listed(url, token):
    """Nova gives long lists in pages, each with a link to the next."""
    for _ in range(PAGES_MAX):
        page = get(url, token)
        yield from page["servers"]
        url = next((link["href"] for link in page.get("servers_links", []) if link["rel"] == "next"), None)
        if url is None:
            return


def addresses(server):
    return [one["addr"] for network in server.get("addresses", {}).values() for one in network]


def get(url, token):
    headers = {"accept": "application/json", "x-auth-token": token}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as answer:
        return json.load(answer)
