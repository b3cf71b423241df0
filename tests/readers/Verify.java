import java.io.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

/** Lines in: roots file, chain file (PEM, leaf first), by tabs. Out: true or the error. */
public class Verify {
  static List<X509Certificate> read(String file) throws Exception {
    List<X509Certificate> found = new ArrayList<>();
    try (InputStream in = new FileInputStream(file)) {
      for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) found.add((X509Certificate) c);
    }
    return found;
  }

  public static void main(String[] arguments) throws Exception {
    Scanner in = new Scanner(System.in);
    while (in.hasNextLine()) {
      String[] part = in.nextLine().split("\t");
      try {
        KeyStore store = KeyStore.getInstance("jks");
        store.load(null, null);
        int n = 0;
        for (X509Certificate c : read(part[0])) store.setCertificateEntry("c" + n++, c);
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        ((X509TrustManager) factory.getTrustManagers()[0])
            .checkServerTrusted(read(part[1]).toArray(new X509Certificate[0]), "ECDHE_ECDSA");
        System.out.println("true");
      } catch (Throwable error) {
        System.out.println(error.toString().replaceAll("[\\r\\n]", " "));
      }
    }
  }
}
