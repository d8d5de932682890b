//! Fail closed, stay up: what can't be told is refused as such, never as "unsigned" and never as "allowed".

use super::{House, tag};
use crate::registry::Error;

#[tokio::test]
async fn when_the_metadata_can_not_answer_nothing_is_told_and_nothing_is_served_that_was_not_judged() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.push_image("ci", "two", Some("v2")).await.unwrap();
    house.sign_release(first).await;
    house.metadata.fail(true);
    for (name, reference) in [("deploy", "v1"), ("deploy", "v2"), ("ci", "v1")] {
        let pulled = house.pull(name, &tag(reference)).await;
        assert!(matches!(pulled, Err(Error::Unavailable(_))), "{name} {reference}: {pulled:?}");
    }
    assert!(matches!(house.push_image("ci", "three", Some("v3")).await, Err(Error::Unavailable(_))));
    house.metadata.fail(false);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    assert!(matches!(house.pull("ci", &tag("v3")).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn an_answer_that_stands_is_given_while_the_metadata_can_not_answer() {
    let house = House::new().await;
    let first = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(first).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
    house.metadata.fail(true);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), first);
}
