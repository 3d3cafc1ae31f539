//! How a password is proved to a PostgreSQL server without telling it: SCRAM-SHA-256 (RFC 5802,
//! RFC 7677), and MD5 as older servers want it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use ring::{digest, hmac};

/// Rounds that are computed at most: a server that wants more wants our time.
const MOST_ROUNDS: u32 = 2_000_000;
/// After so many rounds, some milliseconds, the time is looked at.
const SOME_ROUNDS: u32 = 4096;

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

/// Proves the password to who sent `challenge`, the server's first message, as long as `goes_on`
/// says that there is time for it.
///
/// # Errors
/// When the challenge is not one, answers somebody else's first message, or takes too long.
pub fn prove(
    user: &str,
    password: &str,
    nonce: &str,
    challenge: &str,
    goes_on: &dyn Fn() -> bool,
) -> Result<Proof, String> {
    let wrong = || "the server's SCRAM challenge is not one of RFC 5802".to_owned();
    if challenge.starts_with("m=") {
        return Err("the server wants an extension of SCRAM (m=), and none is known".into());
    }
    // In this order (section 7); what comes behind them may be left aside.
    let mut fields = challenge.split(',');
    let mut field = |name: &str| fields.next().and_then(|field| field.strip_prefix(name));
    let both = field("r=").ok_or_else(wrong)?;
    if both.len() <= nonce.len() || !both.starts_with(nonce) {
        return Err("the server's SCRAM nonce does not go on from ours".into());
    }
    let salt = field("s=").and_then(|salt| STANDARD.decode(salt).ok()).ok_or_else(wrong)?;
    let rounds = field("i=").and_then(|n| n.parse().ok()).filter(|n| *n > 0).ok_or_else(wrong)?;
    if rounds > MOST_ROUNDS {
        return Err(format!(
            "the server wants {rounds} rounds of SCRAM; at most {MOST_ROUNDS} are made"
        ));
    }
    let salted = salted(password.as_bytes(), &salt, rounds, goes_on)
        .ok_or_else(|| format!("timed out over the {rounds} rounds of SCRAM"))?;
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

/// `Hi` (section 2.2): PBKDF2 with HMAC-SHA-256 and one block; nothing when its time is over. The
/// library's own cannot be stopped.
fn salted(
    password: &[u8],
    salt: &[u8],
    rounds: u32,
    goes_on: &dyn Fn() -> bool,
) -> Option<[u8; 32]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, password);
    let (mut last, mut all) = ([salt, &[0, 0, 0, 1]].concat(), [0; 32]);
    for round in 0..rounds {
        if round % SOME_ROUNDS == 0 && !goes_on() {
            return None;
        }
        let next = hmac::sign(&key, &last);
        last.clear();
        last.extend_from_slice(next.as_ref());
        all.iter_mut().zip(next.as_ref()).for_each(|(all, byte)| *all ^= byte);
    }
    Some(all)
}

impl Proof {
    /// Whether the server's last message is from one that knows the password, too.
    pub fn accepts(&self, answer: &str) -> bool {
        let signature = answer.split(',').next().and_then(|field| field.strip_prefix("v="));
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
        let proof = prove("user", "pencil", NONCE, CHALLENGE, &|| true).unwrap();
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
            assert!(prove("user", "pencil", NONCE, wrong, &|| true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn p8_scram_makes_as_many_rounds_as_there_is_time_for() {
        let said = |challenge: &str, time: u32| {
            let left = std::cell::Cell::new(time);
            let goes_on = || left.replace(left.get().saturating_sub(1)) > 0;
            prove("user", "pencil", NONCE, challenge, &goes_on).map(|_| ()).unwrap_err()
        };
        let long = CHALLENGE.replace("i=4096", "i=2000000");
        assert!(said(&long, 3).contains("timed out over the 2000000 rounds"));
        assert!(said(&CHALLENGE.replace("i=4096", "i=2000001"), 3).contains("at most 2000000"));
    }

    #[test]
    fn p8_scram_keeps_the_order_of_fields_and_knows_no_extension() {
        let said = |challenge: &str| {
            prove("user", "pencil", NONCE, challenge, &|| true).map(|_| ()).unwrap_err()
        };
        assert!(said(&format!("m=more,{CHALLENGE}")).contains("an extension of SCRAM (m=)"));
        let (nonce, rest) = CHALLENGE.split_once(',').unwrap();
        assert!(said(&format!("i=1,{nonce},{rest}")).contains("RFC 5802"));
        let (salt, rounds) = rest.split_once(',').unwrap();
        assert!(said(&format!("{nonce},{rounds},{salt}")).contains("RFC 5802"));
        let more = format!("{CHALLENGE},x=more");
        assert!(prove("user", "pencil", NONCE, &more, &|| true).is_ok());
        let proof = prove("user", "pencil", NONCE, CHALLENGE, &|| true).unwrap();
        assert!(!proof.accepts("e=no,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    }

    #[test]
    fn p8_md5_is_as_postgresql_wants_it() {
        assert_eq!(md5("shop", "pencil", &[1, 2, 3, 4]), "md5533026f2aab6dac20b11979d496fb548");
    }
}
