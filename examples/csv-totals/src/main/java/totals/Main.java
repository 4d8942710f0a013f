package totals;

import atelier.Request;
import atelier.Response;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/** Groups the lines of a CSV file by one column, and sums up the numbers of another. The file is read as it comes. */
public class Main {
  private static final int GROUPS_MAX = 10_000;
  private static final CSVFormat FORMAT =
      CSVFormat.DEFAULT.builder().setHeader().setSkipHeaderRecord(true).setTrim(true).build();

  public Response handle(Request request) throws IOException {
    String by = request.query("by");
    String of = request.query("of");
    if (by == null || of == null) return wrong("Name two columns: ?by=the one to group by&of=the one to sum up.");
    Map<String, DoubleSummaryStatistics> groups = new TreeMap<>();
    int skipped = 0;
    try (Reader text = new InputStreamReader(request.stream(), StandardCharsets.UTF_8); CSVParser lines = FORMAT.parse(text)) {
      for (String name : new String[] {by, of})
        if (!lines.getHeaderMap().containsKey(name))
          return wrong("The file has no column " + name + ", but " + String.join(", ", lines.getHeaderNames()) + ".");
      for (CSVRecord line : lines) {
        Double number = line.isConsistent() ? numberOf(line.get(of)) : null;
        if (number == null) skipped++;
        else groups.computeIfAbsent(line.get(by), any -> new DoubleSummaryStatistics()).accept(number);
        if (groups.size() > GROUPS_MAX) return wrong("The column " + by + " has more than " + GROUPS_MAX + " different values.");
      }
    } catch (IllegalArgumentException error) {
      return wrong(error.getMessage()); // names of columns that are missing or repeat
    }
    System.out.println(groups.size() + " groups, " + skipped + " lines without a number");
    return Response.json(Map.of("groups", shown(groups), "skipped", skipped));
  }

  private static Map<String, Object> shown(Map<String, DoubleSummaryStatistics> groups) {
    Map<String, Object> shown = new LinkedHashMap<>();
    groups.forEach((name, numbers) -> {
      Map<String, Object> group = new LinkedHashMap<>();
      group.put("count", numbers.getCount());
      group.put("sum", numbers.getSum());
      group.put("mean", numbers.getAverage());
      group.put("least", numbers.getMin());
      group.put("greatest", numbers.getMax());
      shown.put(name, group);
    });
    return shown;
  }

  private static Double numberOf(String text) {
    try {
      return Double.valueOf(text);
    } catch (NumberFormatException none) {
      return null;
    }
  }

  private static Response wrong(String message) {
    return Response.json(Map.of("error", message)).status(400);
  }
}
