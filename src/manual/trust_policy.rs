//! notation's trust policy: which of its files are read, who decides what they mean, and where Hallmark is stricter.
//!
//! The files are notation's own: `trust/trustpolicy.json`, version 1.0, and `trust/x509/<kind>/<store>/<file>` with the
//! kinds `ca`, `signingAuthority` and `tsa`. The
//! [specification](https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md) decides,
//! and what notation does where it is silent. All of it is read with the other files of trust and swapped with them;
//! every mistake is told at once, those of the document with their lines.
//!
//! # Which statement speaks
//!
//! A scope is `<host>/<repository>`. Hosts are `hostname` and `aliases` of the configuration, letter by letter, never
//! what a client sends. The statement whose scopes hold the repository under one of these names speaks for it, else the
//! one with `*`, else none. A signer with `notation_policy` counts where the statement that speaks is the one it names.
//! A statement backs requirements only if it enforces authenticity and expiry: [`Statement::not_enforced`].
//!
//! # Stricter than notation
//!
//! | what | notation | here |
//! |---|---|---|
//! | a key that the document does not have, or one named twice | ignored, the last one taken | a mistake |
//! | the level `skip` for `*` | taken | a mistake |
//! | the document under its newer name, `trustpolicy.oci.json` | preferred | a mistake: one document, one name |
//! | a store that a statement lists and that is absent | found at the first verification | a mistake |
//! | files of stores that nobody lists, files that lie outside of stores | never read | judged alike; a mistake |
//! | a block of PEM that is no certificate | taken for one if it parses | a mistake |
//! | trusted identities of plugins (`prefix:` other than `x509.subject:`) | taken, for the plugin | a mistake: there are no plugins |
//! | a pattern with an attribute that is never compared, without a value, or with a country that is not two letters | taken, and matches nothing | a mistake |
//! | one repository under two of our names, in two statements | can't know | a mistake |
//! | a subject with an attribute twice, or several in one place | sometimes flattened | matched by `*` alone |
//! | self-signed signers whose signature is SHA-1 | taken into a store | a mistake; a root with one is taken and warned of, and no chain ends in it |
//! | RSA keys under 2048 bits of issuers | taken | issue nothing |
//! | purposes of a leaf: any, or OCSP | the first taken | neither |
//! | basic constraints of an authority that are not critical | taken, against the specification | no chain |
//! | a critical extension of a certificate that is not read (name constraints among them) | ignored | no chain |
//! | a header that is critical though it need not be, or one in both buckets of COSE | taken in COSE | counts for nothing |
//! | a signature that names a plugin | needs the plugin | counts for nothing, marked as critical or not |
//! | the salt of an RSA signature in JWS | of any length | as long as the hash |
//! | an extension twice, or a known one that does not parse | the same, or ignored | no certificate |
//!
//! Laxer in two: symbolic links below `trust/` are followed while they stay there, as Kubernetes mounts secrets; and an
//! override may say `"integrity": "enforce"`, which is so anyway.
//!
//! # What a verdict hangs on
//!
//! A signer of notation's holds the whole [`TrustPolicy`]: the statements, the stores, the names of the registry and the
//! keys of cosign's signers. Whatever changes of it makes the signer another one, and touches the requirements that name
//! it.
//!
//! [`Statement::not_enforced`]: crate::trust::Statement::not_enforced
//! [`TrustPolicy`]: crate::trust::TrustPolicy
