"""POST a CSV file, get what its columns hold: JSON, or a page with ?format=html. ?by=COLUMN tells groups apart."""

import csv
import io
import statistics
from collections import Counter, defaultdict

from jinja2 import Environment

COMMON_SHOWN = 5
MISSING = {"", "NA", "N/A", "null"}

PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{ rows }} rows</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }
  table { border-collapse: collapse; margin-bottom: 2rem }
  th, td { border-bottom: 1px solid #ccc; padding: .25rem .75rem; text-align: right }
  th:first-child, td:first-child { text-align: left }
</style>
<h1>{{ rows }} rows</h1>
{% for group in groups %}
{% if group.name is not none %}<h2>{{ by }}: {{ group.name }} ({{ group.rows }} rows)</h2>{% endif %}
<table>
  <tr><th>column<th>present<th>missing<th>least<th>mean<th>median<th>most
  {% for name, column in group.columns.items() %}
  <tr><td>{{ name }}<td>{{ column.present }}<td>{{ column.missing }}
  {%- if column.mean is defined %}<td>{{ column.min }}<td>{{ column.mean }}<td>{{ column.median }}<td>{{ column.max }}
  {%- else %}<td colspan="4">{% for each in column.common %}{{ each.value }} ({{ each.count }}){{ ", " if not loop.last }}{% endfor %}
  {%- endif %}

  {% endfor %}
</table>
{% endfor %}
</html>
""")


def main(request, context):
    if request.method != "POST":
        return {"detail": "POST a CSV file."}, 405, {"allow": "POST"}
    try:
        rows = list(csv.DictReader(io.StringIO(request.body.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        return {"detail": f"That is not CSV in UTF-8: {error}"}, 400
    if not rows or any(None in row or None in row.values() for row in rows):
        return {"detail": "That is not CSV: every row has as many fields as the first line has names."}, 400

    by = request.args.get("by")
    if by is not None and by not in rows[0]:
        return {"detail": f"There is no column {by!r}; there are: {', '.join(rows[0])}."}, 400
    report = {"rows": len(rows), "by": by, "groups": groups_of(rows, by)}
    print(f"{len(rows)} rows in {len(report['groups'])} groups")
    if request.args.get("format") == "html":
        return PAGE.render(report), 200, {"content-type": "text/html; charset=utf-8"}
    return report


def groups_of(rows, by):
    groups = defaultdict(list)
    for row in rows:
        groups[row[by] if by is not None else None].append(row)
    return [
        {
            "name": name,
            "rows": len(group),
            "columns": {column: summary([row[column] for row in group]) for column in rows[0] if column != by},
        }
        for name, group in groups.items()
    ]


def summary(cells):
    values = [cell for cell in cells if cell.strip() not in MISSING]
    found = {"present": len(values), "missing": len(cells) - len(values)}
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if not numbers:
        common = Counter(values).most_common(COMMON_SHOWN)
        return found | {"common": [{"value": value, "count": count} for value, count in common]}
    return found | {
        "min": min(numbers),
        "mean": round(statistics.fmean(numbers), 3),
        "median": statistics.median(numbers),
        "max": max(numbers),
        "deviation": round(statistics.stdev(numbers), 3) if len(numbers) > 1 else 0.0,
    }
