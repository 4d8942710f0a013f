import csv
import io
from statistics import mean


def summarise(request):
    """Takes a CSV file with a head line; answers with count, least, mean and greatest of each column of numbers."""
    if request.method != "POST":
        return {"detail": "POST a CSV file."}, 405
    rows = list(csv.DictReader(io.StringIO(request.text)))
    if not rows:
        return {"detail": "The file has no rows below its head line."}, 400
    columns = {name: numbers(rows, name) for name in rows[0]}
    return {"rows": len(rows), "columns": {name: summary(found) for name, found in columns.items() if found}}


def numbers(rows, name):
    found = []
    for row in rows:
        try:
            found.append(float(row[name]))
        except (TypeError, ValueError):
            continue  # empty, or text: it does not count
    return found


def summary(found):
    return {"count": len(found), "least": min(found), "mean": round(mean(found), 6), "greatest": max(found)}
