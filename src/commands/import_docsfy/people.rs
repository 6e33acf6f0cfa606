//! Users, grants and settings of docsfy, as far as they fit.

use chrono::{DateTime, Utc};
use shared::{
    names::{ModelId, ProjectName, Username},
    provider::Provider,
    user::{ADMIN, Role},
};

use super::{report::shown, source::Row, variants};

/// A user that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DocsfyUser {
    pub(super) name: Username,
    pub(super) role: Role,
    /// docsfy's HMAC of the key; `None` when what stands there is none.
    pub(super) key_hash: Option<[u8; 32]>,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) repairs: Vec<String>,
}

/// Checks a row of `users`; the error is the reason why it is left out.
pub(super) fn user(row: &Row) -> Result<DocsfyUser, String> {
    let name = row.text("username")?.unwrap_or_default();
    if name.eq_ignore_ascii_case(ADMIN) {
        return Err("the name `admin` belongs to the holder of ADMIN_KEY".into());
    }
    let name = name.parse().map_err(|error: shared::names::InvalidName| error.0)?;
    let mut repairs = Vec::new();
    let role_text = row.text_or_empty("role");
    let role = [Role::Admin, Role::User, Role::Viewer].into_iter().find(|role| role.as_str() == role_text);
    if role.is_none() {
        repairs.push(format!("the role `{}` is unknown; it is viewer now", shown(&role_text)));
    }
    let key_hash = parse_hash(&row.text_or_empty("api_key_hash"));
    if key_hash.is_none() {
        repairs.push("docsfy kept no usable key; nobody can log in until an admin rotates it".into());
    }
    let created_at = variants::time(row, "created_at", &mut repairs);
    Ok(DocsfyUser { name, role: role.unwrap_or(Role::Viewer), key_hash, created_at, repairs })
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim().as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = [char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?];
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}

/// A grant that fits: who may read which project of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DocsfyGrant {
    pub(super) owner: String,
    pub(super) project: ProjectName,
    pub(super) username: String,
}

/// A grant as it is named in the report.
pub(super) fn grant_name(row: &Row) -> String {
    let [user, owner, project] = ["username", "project_owner", "project_name"].map(|column| row.text_or_empty(column));
    format!("{user} to {owner}/{project}")
}

/// Checks a row of `project_access`; the error is the reason why it is left out.
pub(super) fn grant(row: &Row) -> Result<DocsfyGrant, String> {
    Ok(DocsfyGrant {
        owner: variants::owner(&row.text("project_owner")?.unwrap_or_default())?,
        project: row
            .text("project_name")?
            .unwrap_or_default()
            .parse()
            .map_err(|error: shared::names::InvalidName| error.0)?,
        username: row.text("username")?.unwrap_or_default(),
    })
}

/// The settings that fit, and those that are left out with the reason. Empty ones are none.
pub(super) fn settings(rows: &[Row]) -> Vec<(String, Result<String, String>)> {
    let stored: Vec<(String, String)> = rows
        .iter()
        .map(|row| (row.text_or_empty("key"), row.text_or_empty("value")))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let has_model = stored.iter().any(|(key, value)| key == "default_ai_model" && value.parse::<ModelId>().is_ok());
    let has_provider =
        stored.iter().any(|(key, value)| key == "default_ai_provider" && value.parse::<Provider>().is_ok());
    let check = |key: &str, value: &str| -> Result<String, String> {
        let number_up_to = |limit: u32| match value.trim().parse::<u32>() {
            Ok(number) if (1..=limit).contains(&number) => Ok(number.to_string()),
            _ => Err(format!("`{}` is no number from 1 to {limit}", shown(value))),
        };
        match key {
            "default_ai_provider" if !has_model => Err("it needs default_ai_model, which does not fit".into()),
            "default_ai_provider" => value.parse::<Provider>().map(|provider| provider.to_string()),
            "default_ai_model" if !has_provider => Err("it needs default_ai_provider, which does not fit".into()),
            "default_ai_model" => value.parse::<ModelId>().map(|model| model.to_string()).map_err(|error| error.0),
            "ai_cli_timeout" => number_up_to(1440),
            "max_concurrent_pages" => number_up_to(100),
            "vision_provider" | "vision_model" => Err("docmill describes no images yet".into()),
            _ => Err("docmill has no such setting".into()),
        }
    };
    stored.iter().map(|(key, value)| (key.clone(), check(key, value))).collect()
}
