//! The files that pages share. Each carries a digest in its name, so that it may be cached for ever.

use sha2::{Digest, Sha256};

use super::{SiteFiles, escape::escaped};

const STYLE: &str = include_str!("../../theme/site.css");
const SCRIPT: &str = include_str!("../../theme/site.js");
const THEME: &str = include_str!("../../theme/theme.js");

/// Whether these are the bytes of a file that all sites of this version share.
pub(crate) fn is_shared_asset(bytes: &[u8]) -> bool {
    [STYLE, SCRIPT, THEME].iter().any(|shared| shared.as_bytes() == bytes)
}

/// The paths of the shared files, as pages write them.
pub(crate) struct Assets {
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) theme: String,
    pub(crate) search: String,
    pub(crate) icon: String,
}

impl Assets {
    /// Adds the shared files to the site.
    pub(crate) fn add(files: &mut SiteFiles, project: &str, search_script: String) -> Self {
        let mut add = |name: &str, ending: &str, content: String| {
            let digest = Sha256::digest(content.as_bytes());
            let path = format!("assets/{name}.{}.{ending}", hex::encode(&digest[..4]));
            files.insert(path.clone(), content.into_bytes());
            path
        };
        Self {
            style: add("site", "css", STYLE.to_owned()),
            script: add("site", "js", SCRIPT.to_owned()),
            theme: add("theme", "js", THEME.to_owned()),
            search: add("search", "js", search_script),
            icon: add("icon", "svg", icon(project)),
        }
    }
}

/// Hues that are calm and far enough from each other.
const HUES: [u32; 8] = [166, 198, 216, 238, 262, 288, 330, 352];

/// The project's initial on a colour that its name picks, dark enough for white.
fn icon(project: &str) -> String {
    let sum = project.bytes().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let hue = HUES[sum % HUES.len()];
    let initial = project.chars().find(|c| c.is_alphanumeric()).unwrap_or('d').to_uppercase().to_string();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">\
         <rect width=\"32\" height=\"32\" rx=\"7\" fill=\"hsl({hue} 45% 36%)\"/>\
         <text x=\"16\" y=\"22.5\" font-family=\"system-ui,sans-serif\" font-size=\"19\" font-weight=\"700\" \
         text-anchor=\"middle\" fill=\"#fff\">{}</text></svg>\n",
        escaped(&initial)
    )
}
