import java.io.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

/** Reads trust stores as Java does. Lines in: file, type, password ("-" for none), by tabs. Out: ok|fail, fingerprints, error. */
public class Oracle {
  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) text.append(String.format("%02x", b));
    return text.toString();
  }

  static Set<String> anchors(KeyStore store) throws Exception {
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(store);
    Set<String> found = new TreeSet<>();
    for (X509Certificate c : ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers())
      found.add(hex(MessageDigest.getInstance("SHA-256").digest(c.getEncoded())));
    return found;
  }

  static KeyStore load(String file, String type, char[] password) throws Exception {
    CertificateFactory factory = CertificateFactory.getInstance("X.509");
    try (InputStream in = new BufferedInputStream(new FileInputStream(file))) {
      if (type.equals("PEM")) { // as pgJDBC's LibPQFactory does it
        KeyStore store = KeyStore.getInstance("jks");
        Object[] certs = factory.generateCertificates(in).toArray(new java.security.cert.Certificate[] {});
        store.load(null, null);
        for (int i = 0; i < certs.length; i++) store.setCertificateEntry("cert" + i, (java.security.cert.Certificate) certs[i]);
        return store;
      }
      if (type.equals("FIRST")) { // as keytool -importcert does it
        KeyStore store = KeyStore.getInstance("jks");
        store.load(null, null);
        store.setCertificateEntry("one", factory.generateCertificate(in));
        return store;
      }
      KeyStore store = KeyStore.getInstance(type.isEmpty() ? KeyStore.getDefaultType() : type);
      store.load(in, password);
      return store;
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    String line;
    while ((line = in.readLine()) != null) {
      String[] part = line.split("\t", -1);
      try {
        KeyStore store = load(part[0], part[1], part[2].equals("-") ? null : part[2].toCharArray());
        System.out.println("ok\t" + String.join(",", anchors(store)) + "\t");
      } catch (Throwable error) {
        System.out.println("fail\t\t" + error.toString().replaceAll("[\\t\\r\\n]", " "));
      }
    }
  }
}
