require "date"
require "time"

MONTH_DAYS_MAX = 366

# POST an iCalendar file; ?from=2026-11-21&days=14 says which days, ?format=text makes a list to read.
def handler(request, _context)
  return [405, { "allow" => "POST" }, ["POST an iCalendar file.\n"]] unless request.method == "POST"

  from = Date.parse(request.params.fetch("from", Date.today.iso8601))
  days = request.params.fetch("days", "14").to_i.clamp(1, MONTH_DAYS_MAX)
  events = read_events(request.text)
  agenda = events.flat_map { |event| occurrences(event, from, from + days) }.sort_by { |each| [each[:start], each[:title]] }
  puts "#{events.size} events, #{agenda.size} of them from #{from} for #{days} days"
  request.params["format"] == "text" ? as_text(agenda) : { from: from, days: days, agenda: agenda }
rescue Date::Error => e
  [400, {}, ["#{e.message}\n"]]
end

# Events as hashes of their properties; a line that begins with a space goes on with the one before.
def read_events(text)
  lines = text.gsub(/\r?\n[ \t]/, "").lines(chomp: true)
  lines.slice_after("END:VEVENT").filter_map do |block|
    start = block.rindex("BEGIN:VEVENT")
    next unless start && block.last == "END:VEVENT"

    block[(start + 1)...-1].to_h do |line|
      name, value = line.split(":", 2)
      [name.split(";").first, value.to_s.gsub(/\\([,;\\])/, '\1').gsub('\n', "\n")]
    end
  end
end

# When an event takes place between two days; rules that repeat daily or weekly are followed.
def occurrences(event, from, to)
  first = Time.parse(event.fetch("DTSTART"))
  rule = event.fetch("RRULE", "").split(";").to_h { |part| part.split("=", 2) }
  step = { "DAILY" => 1, "WEEKLY" => 7 }[rule["FREQ"]]&.*([rule.fetch("INTERVAL", "1").to_i, 1].max)
  last = [to, rule["UNTIL"] && Date.parse(rule["UNTIL"])].compact.min
  dates = step ? first.to_date.step(last, step) : [first.to_date]
  dates = dates.first(rule["COUNT"].to_i) if rule["COUNT"]
  dates.select { |date| date >= from && date < to }.map do |date|
    { start: "#{date.iso8601} #{event["DTSTART"].include?("T") ? first.strftime("%H:%M") : "all day"}",
      title: event.fetch("SUMMARY", "?"), place: event["LOCATION"] }.compact
  end
end

def as_text(agenda)
  agenda.group_by { |each| each[:start][0, 10] }.map do |date, events|
    heading = Date.parse(date).strftime("%A, %-d %B %Y")
    "#{heading}\n#{events.map { |each| "  #{each[:start][11..]}  #{[each[:title], each[:place]].compact.join(", ")}" }.join("\n")}\n"
  end.join("\n")
end
