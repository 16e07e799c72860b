/** Certificates for tests, made by `openssl`. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A key and its certificate: where they are, and their text in PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority of its own, and what it vouches for. */
export interface Certificates {
  readonly ca: Certificate;
  /** Of `localhost` and 127.0.0.1. */
  readonly server: Certificate;
  /** Its common name is `hero-client`. */
  readonly client: Certificate;
  /** The client's key, encrypted with `secret`. */
  readonly encryptedKey: string;
}

/** Whether there is what makes them. */
export function canMakeCertificates(): boolean {
  return ["/usr/bin/openssl", "/usr/local/bin/openssl", "/opt/homebrew/bin/openssl"].some((each) => existsSync(each));
}

/** Makes them, valid for a day. */
export function makeCertificates(directory: string): Certificates {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const key = (name: string) =>
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at(`${name}.key`));
  const read = (name: string): Certificate => ({
    certFile: at(`${name}.pem`),
    keyFile: at(`${name}.key`),
    cert: readFileSync(at(`${name}.pem`), "utf8"),
    key: readFileSync(at(`${name}.key`), "utf8"),
  });
  key("ca");
  openssl("req", "-x509", "-new", "-key", at("ca.key"), "-subj", "/CN=Hero tests", "-days", "1", "-out", at("ca.pem"));
  const signed = (name: string, subject: string, extensions: string) => {
    key(name);
    writeFileSync(at(`${name}.ext`), extensions);
    openssl("req", "-new", "-key", at(`${name}.key`), "-subj", subject, "-out", at(`${name}.csr`));
    openssl(
      "x509",
      "-req",
      ...["-in", at(`${name}.csr`), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "1"],
      ...["-extfile", at(`${name}.ext`), "-out", at(`${name}.pem`)],
    );
  };
  signed(
    "server",
    "/CN=localhost",
    "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
  );
  signed("client", "/CN=hero-client", "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n");
  const encrypted = ["-topk8", "-v2", "aes-256-cbc", "-passout", "pass:secret", "-in", at("client.key")];
  const encryptedKey = openssl("pkcs8", ...encrypted).toString();
  return { ca: read("ca"), server: read("server"), client: read("client"), encryptedKey };
}
