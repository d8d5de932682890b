//! `/_hallmark/explain`

use axum::response::Response;

use super::error::Refusal;
use super::{Call, answer, query};
use crate::gate::{Action, Who};
use crate::oci::{Reference, RepositoryName};

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    who: Option<Who>,
    action: Action,
    repository: RepositoryName,
    reference: Option<Reference>,
}

/// `GET ?action=<action>&reference=<repository>[:<tag>|@<digest>][&who=<who>]`: what the gate would say, and why.
pub(super) async fn read(call: &Call<'_>) -> Result<Response, Refusal> {
    let asked = Question::parse(call.query())?;
    let insight = call.registry().allow_explain(call.who, asked.who.as_ref(), &asked.repository)?;
    let account = call.registry().explain(&insight, asked.action, asked.reference.as_ref()).await?;
    answer::json(call.is_head(), &account)
}

impl Question {
    fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        query::only(text, &["action", "reference", "who"])?;
        let action = query::one(text, "action")?.and_then(|word| word.parse().ok());
        let action = action.ok_or_else(|| {
            Refusal::query("expected action to be one of pull, push, sign, delete, promote, admin in the query")
        })?;
        let who =
            query::one(text, "who")?.map(|who| who.parse::<Who>().map_err(|error| Refusal::query(error.to_string())));
        let named = query::one(text, "reference")?
            .ok_or_else(|| Refusal::query("expected reference=<repository>[:<tag>|@<digest>] in the query"))?;
        let (repository, reference) = named_by(&named)?;
        Ok(Self { who: who.transpose()?, action, repository, reference })
    }
}

/// `<repository>`, `<repository>:<tag>` or `<repository>@<digest>`.
fn named_by(text: &str) -> Result<(RepositoryName, Option<Reference>), Refusal> {
    let invalid = |error: &dyn std::fmt::Display| Refusal::query(error.to_string());
    let (name, reference) = match (text.split_once('@'), text.split_once(':')) {
        (Some((name, digest)), _) => (name, Some(Reference::Digest(digest.parse().map_err(|error| invalid(&error))?))),
        (None, Some((name, tag))) => (name, Some(Reference::Tag(tag.parse().map_err(|error| invalid(&error))?))),
        (None, None) => (text, None),
    };
    Ok((name.parse().map_err(|error| invalid(&error))?, reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_question_names_action_reference_and_who() {
        let question = |text: &str| Question::parse(Some(text)).unwrap();
        let asked = question("action=pull&reference=prod/app:v1&who=user:deploy");
        assert_eq!((asked.action, asked.repository.as_str()), (Action::Pull, "prod/app"));
        assert_eq!(asked.who, Some(Who::user("deploy").unwrap()));
        assert_eq!(asked.reference, Some("v1".parse().unwrap()));
        assert_eq!(question("action=sign&reference=prod%2Fapp").reference, None);
        let by_digest = question(&format!("reference=prod/app@{DIGEST}&action=delete"));
        assert_eq!(by_digest.reference, Some(DIGEST.parse().unwrap()));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for text in [
            "",
            "action=pull",
            "reference=prod/app",
            "action=see&reference=a",
            "action=pull&action=pull&reference=a",
            "action=pull&reference=A",
            "action=pull&reference=a:",
            "action=pull&reference=a@sha256:00",
            "action=pull&reference=a:v1@v1",
            "action=pull&reference=a&who=deploy",
            "action=pull&reference=a&who=role:ci",
            "action=pull&reference=a&whom=user:a",
            "action=pull&reference=localhost:5000/a",
        ] {
            assert!(Question::parse(Some(text)).is_err(), "{text}");
        }
    }
}
