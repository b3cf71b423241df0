import java.io.FileWriter;
import java.io.Writer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** The same program as connects.py, on pgJDBC: results file, pause in milliseconds, then pairs of server name and URL. */
public class Connects {
    public static void main(String[] arguments) throws Exception {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    continue;
                }
            } catch (java.io.IOException gone) {
                System.exit(0);
            }
            System.exit(0);
        });
        watch.setDaemon(true);
        watch.start();
        DriverManager.setLoginTimeout(10);
        try (Writer results = new FileWriter(arguments[0], true)) {
            while (true) {
                for (int at = 2; at < arguments.length; at += 2) {
                    results.write(attempt(arguments[at], arguments[at + 1]) + "\n");
                    results.flush();
                }
                Thread.sleep(Long.parseLong(arguments[1]));
            }
        }
    }

    private static String attempt(String server, String url) {
        double began = System.currentTimeMillis() / 1000.0;
        String outcome;
        String error = "";
        try (Connection connection = DriverManager.getConnection(url);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select ssl from pg_stat_ssl, pg_sleep(0.05) where pid = pg_backend_pid()")) {
            row.next();
            outcome = row.getBoolean(1) ? "tls" : "plaintext";
        } catch (Exception problem) {
            outcome = "refused";
            error = String.valueOf(problem.getMessage()).replaceAll("[\\\\\"\\p{Cntrl}]", " ");
        }
        return "{\"server\": \"" + server + "\", \"began\": " + String.format(java.util.Locale.ROOT, "%.3f", began)
            + ", \"outcome\": \"" + outcome + "\", \"error\": \"" + error + "\"}";
    }
}
