"""Called by an alarm of OpenStack Telemetry (Aodh): says how a group of servers should grow or shrink, and why.

With SCALE_URL in the configuration (a scaling policy's signal URL of Heat, or a service of your own) it also tells that.
"""

import json
import urllib.request

TIMEOUT_S = 10


def main(request, context):
    alarm = request.json
    plan = plan_for(alarm, int(context.config.get("STEP", "1")))
    print(f"{plan['alarm']}: {plan['from']} -> {plan['to']}, {plan['action']}: {plan['reason']}")
    url = context.config.get("SCALE_URL")
    if url and plan["change"] != 0:
        tell(url, plan)
    return plan


def plan_for(alarm, step):
    """More servers when the alarm is raised, fewer when all is well again, none on a guess."""
    state = alarm["current"]
    change = {"alarm": step, "ok": -step}.get(state, 0)
    return {
        "alarm": alarm["alarm_name"],
        "severity": alarm.get("severity"),
        "from": alarm.get("previous"),
        "to": state,
        "reason": alarm.get("reason"),
        "change": change,
        "action": "scale out" if change > 0 else "scale in" if change < 0 else "wait",
    }


def tell(url, plan):
    body = json.dumps(plan).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    # What it refuses raises, and an alarm's call is tried again by the function's retry policy.
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        print(f"told {answer.status}")
