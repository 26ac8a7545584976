//! Credentials of a cluster on this machine: an authority, a certificate for each node, and the
//! cookie. For tests and for `dev-cluster`: whoever reads the folder is a node.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

/// Writes `authority.pem`, `cookie`, and `NODE.pem` and `NODE.key` for each node.
pub(crate) fn make(folder: &Path, nodes: &[&str]) -> Result<()> {
    std::fs::create_dir_all(folder).context("making a folder for credentials")?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "a cluster of this machine");
    write("authority.pem", &pem("CERTIFICATE", params.self_signed(&key)?.der()))?;
    let authority = Issuer::new(params, key);
    for node in nodes {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![(*node).to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, *node);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &authority)?;
        write(&format!("{node}.pem"), &pem("CERTIFICATE", certificate.der()))?;
        write(&format!("{node}.key"), &pem("PRIVATE KEY", &key.serialize_der()))?;
    }
    // As hard to guess as a key, which it is made from.
    let cookie: String =
        KeyPair::generate()?.serialize_der().iter().rev().take(32).map(hex).collect();
    write("cookie", &cookie)
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

/// Bytes as files hold them.
fn pem(of: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {of}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {of}-----\n"));
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_its_own_and_all_share_the_rest() {
        let folder = std::env::temp_dir().join(format!("credentials-{}", std::process::id()));
        make(&folder, &["one", "two"]).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_ne!(read("one.pem"), read("two.pem"));
        assert!(read("one.key").starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(read("authority.pem").contains("-----END CERTIFICATE-----"));
        assert_eq!(read("cookie").len(), 64);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
