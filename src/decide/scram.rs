//! How a password is proved to a PostgreSQL server without telling it: SCRAM-SHA-256 (RFC 5802,
//! RFC 7677), and MD5 as older servers want it.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::{digest, hmac, pbkdf2};

/// Rounds that are computed at most: a server that wants more wants our time.
const MOST_ROUNDS: u32 = 300_000;

/// The client's first message without its head (RFC 5802, section 5).
fn bare(user: &str, nonce: &str) -> String {
    format!("n={},r={nonce}", user.replace('=', "=3D").replace(',', "=2C"))
}

/// The client's first message; without channel binding.
pub fn first(user: &str, nonce: &str) -> String {
    format!("n,,{}", bare(user, nonce))
}

/// The client's last message, and what the server must answer to it.
pub struct Proof {
    /// The message.
    pub message: String,
    server: hmac::Key,
    transcript: String,
}

/// Proves the password to who sent `challenge`, the server's first message.
///
/// # Errors
/// When the challenge is not one, or answers somebody else's first message.
pub fn prove(user: &str, password: &str, nonce: &str, challenge: &str) -> Result<Proof, String> {
    let field = |name: &str| challenge.split(',').find_map(|field| field.strip_prefix(name));
    let wrong = || "the server's SCRAM challenge is not one of RFC 5802".to_owned();
    let both = field("r=").filter(|both| both.len() > nonce.len() && both.starts_with(nonce));
    let both = both.ok_or("the server's SCRAM nonce does not go on from ours")?;
    let salt = field("s=").and_then(|salt| STANDARD.decode(salt).ok()).ok_or_else(wrong)?;
    let rounds: NonZeroU32 = field("i=").and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
    if rounds.get() > MOST_ROUNDS {
        return Err(format!(
            "the server wants {rounds} rounds of SCRAM; at most {MOST_ROUNDS} are made"
        ));
    }
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let salted = key(&salted);
    let client = hmac::sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    // `biws` is `n,,` in base64: no channel binding.
    let last = format!("c=biws,r={both}");
    let transcript = format!("{},{challenge},{last}", bare(user, nonce));
    let signature = hmac::sign(&key(stored.as_ref()), transcript.as_bytes());
    let pairs = client.as_ref().iter().zip(signature.as_ref());
    let proof: Vec<u8> = pairs.map(|(a, b)| a ^ b).collect();
    let server = key(hmac::sign(&salted, b"Server Key").as_ref());
    Ok(Proof { message: format!("{last},p={}", STANDARD.encode(proof)), server, transcript })
}

impl Proof {
    /// Whether the server's last message is from one that knows the password, too.
    pub fn accepts(&self, answer: &str) -> bool {
        let signature = answer.split(',').find_map(|field| field.strip_prefix("v="));
        let signature = signature.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        hmac::verify(&self.server, self.transcript.as_bytes(), &signature).is_ok()
    }
}

/// What a server wants that asks for MD5: the password with the user for salt, and its own salt.
pub fn md5(user: &str, password: &str, salt: &[u8]) -> String {
    let hex = |parts: [&[u8]; 2]| -> String {
        let digest = parts.iter().fold(Md5::new(), |md5, part| md5.chain_update(part)).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let inner = hex([password.as_bytes(), user.as_bytes()]);
    format!("md5{}", hex([inner.as_bytes(), salt]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// The example of RFC 7677, section 3.
    #[test]
    fn p8_scram_proves_as_its_rfc_does() {
        let proof = prove("user", "pencil", NONCE, CHALLENGE).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.accepts("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        for false_answer in
            ["", "v=", "e=other-error", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="]
        {
            assert!(!proof.accepts(false_answer), "{false_answer}");
        }
        assert_eq!(first("a,b", "x"), "n,,n=a=2Cb,r=x");
    }

    #[test]
    fn p8_scram_takes_no_challenge_that_is_none() {
        for wrong in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=0",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=2147483647",
        ] {
            assert!(prove("user", "pencil", NONCE, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn p8_md5_is_as_postgresql_wants_it() {
        assert_eq!(md5("shop", "pencil", &[1, 2, 3, 4]), "md5533026f2aab6dac20b11979d496fb548");
    }
}
