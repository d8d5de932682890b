//! Signers: names for keys, and later for certificate identities and notation's trust policies.

