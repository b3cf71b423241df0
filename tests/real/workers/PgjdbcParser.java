import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import java.util.TreeSet;
import org.postgresql.jdbc.SslMode;

/** Reads URLs, one a line in base64, and says what the driver makes of each: `-`, or `mode` and `name=value` in base64. */
public class PgjdbcParser {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream out = new PrintStream(System.out, false, "US-ASCII");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(answer(new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8)));
        }
        out.flush();
    }

    private static String answer(String url) {
        Properties found;
        try {
            found = org.postgresql.Driver.parseURL(url, null);
        } catch (RuntimeException error) {
            return "-";
        }
        if (found == null) {
            return "-";
        }
        StringBuilder text = new StringBuilder(mode(found));
        for (String name : new TreeSet<>(found.stringPropertyNames())) {
            text.append(' ').append(encode(name)).append('=').append(encode(found.getProperty(name)));
        }
        return text.toString();
    }

    private static String mode(Properties found) {
        try {
            return SslMode.of(found).value;
        } catch (Exception error) {
            return "invalid";
        }
    }

    private static String encode(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
