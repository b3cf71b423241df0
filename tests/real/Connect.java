import java.sql.*;
import java.util.*;

/** Connects once for each line "URL"; prints ok or the error. */
public class Connect {
  public static void main(String[] arguments) throws Exception {
    Scanner in = new Scanner(System.in);
    while (in.hasNextLine()) {
      try (Connection c = DriverManager.getConnection(in.nextLine())) {
        ResultSet rows = c.createStatement().executeQuery("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
        rows.next();
        System.out.println("ok ssl=" + rows.getBoolean(1));
      } catch (Throwable error) {
        Throwable last = error;
        while (last.getCause() != null) last = last.getCause();
        System.out.println("error " + last.toString().replaceAll("[\\r\\n]", " "));
      }
    }
  }
}
