// The worker for pgJDBC: the jar is the class path's, the home is set for each case. One JSON object a line, in and out;
// the few lines of JSON reading are for what the oracle writes, not for anybody's JSON.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

public class PgjdbcWorker {
    static final String QUESTION = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        Driver driver = new org.postgresql.Driver();
        String version = org.postgresql.Driver.class.getPackage().getImplementationVersion();
        if (arguments.length > 0) version = arguments[0];
        answers.println("{\"driver\": \"pgjdbc\", \"driver_version\": " + quote(version)
            + ", \"runtime\": {\"java\": " + quote(System.getProperty("java.version"))
            + ", \"cacerts\": " + quote(System.getProperty("java.home") + "/lib/security/cacerts") + "}}");
        BufferedReader cases = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = cases.readLine()) != null; ) {
            Map<String, Object> one = new Reader(line).object();
            System.setProperty("user.home", (String) one.get("home"));
            String outcome;
            String error = "";
            try {
                Properties properties = new Properties();
                properties.setProperty("connectTimeout", "15");
                properties.setProperty("socketTimeout", "15");
                if (one.get("settings") instanceof Map<?, ?> settings)
                    settings.forEach((k, v) -> properties.setProperty((String) k, (String) v));
                String url = one.get("dsn") instanceof String dsn ? dsn : "jdbc:postgresql://" + properties.remove("host") + ":" + properties.remove("port") + "/" + properties.remove("database");
                try (Connection connection = driver.connect(url, properties);
                     ResultSet rows = connection.createStatement().executeQuery(QUESTION)) {
                    rows.next();
                    outcome = rows.getBoolean(1) ? "tls" : "plaintext";
                }
            } catch (Exception failure) {
                outcome = "refused";
                StringBuilder words = new StringBuilder();
                for (Throwable t = failure; t != null; t = t.getCause())
                    words.append(words.length() == 0 ? "" : " <- ").append(t.getClass().getSimpleName()).append(": ").append(t.getMessage());
                error = words.toString();
            }
            answers.println("{\"id\": " + quote((String) one.get("id")) + ", \"outcome\": " + quote(outcome) + ", \"error\": " + quote(error) + "}");
        }
    }

    static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static final class Reader {
        final String text;
        int at = 0;

        Reader(String text) {
            this.text = text;
        }

        char peek() {
            while (Character.isWhitespace(text.charAt(at))) at++;
            return text.charAt(at);
        }

        Map<String, Object> object() {
            Map<String, Object> found = new LinkedHashMap<>();
            peek();
            at++;
            while (peek() != '}') {
                if (peek() == ',') at++;
                peek();
                String key = string();
                peek();
                at++;
                found.put(key, value());
            }
            at++;
            return found;
        }

        Object value() {
            char c = peek();
            if (c == '{') return object();
            if (c == '"') return string();
            int from = at;
            while (",}".indexOf(text.charAt(at)) < 0) at++;
            String word = text.substring(from, at).trim();
            return word.equals("null") ? null : word;
        }

        String string() {
            StringBuilder out = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                char c = text.charAt(at);
                if (c != '\\') {
                    out.append(c);
                    continue;
                }
                c = text.charAt(++at);
                switch (c) {
                    case 'n' -> out.append('\n');
                    case 't' -> out.append('\t');
                    case 'r' -> out.append('\r');
                    case 'u' -> {
                        out.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                        at += 4;
                    }
                    default -> out.append(c);
                }
            }
            at++;
            return out.toString();
        }
    }
}
