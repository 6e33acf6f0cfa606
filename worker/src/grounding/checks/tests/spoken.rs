//! Names as people speak of them: what they say is not there, show as an example, shorten, or know from a framework. Each was met
//! in documentation that says the truth; beside each stands a lie of the same form that must be found.

use shared::evidence::{Finding, Rule, Severity};

use super::{Pages, check, index_of};
use crate::grounding::checks::CheckOptions;

const SERVICE: &str = "[ApiController]
[Route(\"api/orders\")]
public class OrdersController : ControllerBase
{
    private readonly Stopwatch clock = new();

    [HttpGet(\"{id}/lines\")]
    public IActionResult Lines(int id) => Ok(Stopwatch.GetTimestamp());

    public const string OpenOrder = \"open_\";
    public string Key = config[\"Security:PrivateKey\"];
}

public class RequireTenantAttribute : Attribute { }

public class PurgeDraftsJob { public long GetTimestamp() => 0; }

public class OrdersTests
{
    public void MoveOrderToTenant_ShouldKeepItsLines() { }
}
";

/// What rules (c) and (d) say about a text that stands in a section without citations.
fn findings(text: &str) -> Vec<Finding> {
    let files = [
        ("src/Orders.cs", SERVICE),
        ("src/Clock.cs", "public class Stopwatch { }\n"),
        ("src/lib/cn.ts", "export const cn = 1;\n"),
        ("Makefile", "cli-linux:\n\ttrue\n\ncli-windows:\n\ttrue\n"),
        ("server/test/OrdersTest.kt", "class OrdersTest\n"),
    ];
    let files: Vec<(String, Vec<u8>)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let pages: Pages = vec![("page".parse().unwrap(), format!("# Page\n\nSome words.\n\n## Section\n\n{text}\n"))];
    let found = check(&index_of(&files), &pages, &CheckOptions::default()).findings;
    let is_of_names =
        |finding: &Finding| matches!(finding.rule, Rule::Name | Rule::Command) && finding.severity != Severity::Note;
    found.into_iter().filter(is_of_names).collect()
}

fn holds(truth: &[&str], lies: &[&str]) {
    for text in truth {
        assert_eq!(findings(text), [], "{text}");
    }
    for text in lies {
        assert_eq!(findings(text).len(), 1, "{text}");
    }
}

#[test]
fn what_the_sentence_says_is_not_there_is_not_missed() {
    holds(
        &[
            "`cn` is at `src/lib/cn.ts`, not `lib/utils.ts`.",
            "It adds events by a helper (not `QueueOrderEvent`).",
            "The policy is deliberately **NOT `AllowEveryOrigin()`**.",
            "OBSOLETE PATH: `/api/orders/7/everything`",
            "- No `isComplete` or `lineCount` fields are needed.",
            "Words.\n\n## Roadmap\n\nThen `OrderQueue` answers `GET /api/orders/live`.",
        ],
        &[
            "`cn` is at `lib/utils.ts`, not elsewhere.",
            "It does not call by hand, `QueueOrderEvent` does.",
            "PATH: `/api/orders/7/everything`",
            "- The `isComplete` fields are needed.",
            "Words.\n\n## Overview\n\nThen `OrderQueue` answers.",
        ],
    );
}

#[test]
fn what_stands_for_something_else_is_not_missed() {
    holds(
        &[
            "The form is `MethodName_Should_Expected_When_Condition` here.",
            "It calls `createXConfig` of the package.",
            "An option is a `-f`/`--flag` argument.",
            "Broadcasts use `com.example.AN_INTENT` then.",
            "Name the pool `OrdersAppPool` (can be whatever you want).",
            "A button sends `open_order124` then.",
            "With Claude Code, list it in `enabledJsonServers` there.",
            "| Command | Example |\n|---|---|\n| closes | `close_order123` |",
            "They live below `/api/...` together, and `GET /api/orders/.../lines` is one.",
            "Use the `make cli-...` targets.",
            "### Example names\n\n- `OrderDraft_Default`",
            "It maps them by `toXxxResponse()` there.",
            "Tests lie in `server/test/\norders/<name>Test.kt` by name.",
        ],
        &[
            "The test `MethodsOfNames_Should` shows it.",
            "It calls `createMaxConfig` of the package.",
            "| Command | Meaning |\n|---|---|\n| `close_order123` | closes |",
            "They live below `/api/orders/7/drafts/...` together.",
            "Use `make cli-macos` there.",
            "### Example names\n\nWords.\n\n### Names\n\n- `OrderDraft_Default`",
            "It maps them by `toMaxResponse()` there.",
        ],
    );
}

#[test]
fn a_name_may_be_written_as_its_language_lets_people_write_it() {
    holds(
        &[
            "Times come from `Stopwatch.GetTimestamp()` there.",
            "Set `Security__PrivateKey` or `SECURITY__PRIVATE_KEY` in the environment.",
            "Put `RequireTenant` on it, and `PurgeDrafts` runs at night.",
            "`MoveOrderToTenant` tests it.",
            "It asks `IHostEnvironment` and `Environment.isEmulated()`, and `call.receiveText()` reads the body.",
        ],
        &[
            "Times come from `PurgeDraftsJob.GetMinutes()` there.",
            "Set `Security__PublicKey` in the environment.",
            "Put `RequireOwner` on it.",
            "`MoveOrderToOwner` tests it.",
            "It asks `IOrderEnvironment` there.",
        ],
    );
}

#[test]
fn a_route_is_the_same_only_where_its_names_are() {
    let routes = "Rails.application.routes.draw do
  resources :boards do
    resources :columns
  end
  resources :users
  resources :users do
    resource :avatar, only: :show
  end
  get '/plugins/latest/:version', to: 'plugins#show'
  get '/files/*path', to: 'files#show'
end
";
    let files = [("config/routes.rb".to_owned(), routes.as_bytes().to_vec())];
    let index = index_of(&files);
    let missing = |route: &str| {
        let text = format!("# Page\n\nSome words.\n\n## Section\n\nSend `{route}` to it.\n");
        let pages: Pages = vec![("page".parse().unwrap(), text)];
        let found = check(&index, &pages, &CheckOptions::default()).findings;
        found.iter().filter(|finding| finding.rule == Rule::Name).count()
    };
    for route in [
        "GET /:account/boards/:board_id/columns/:id",
        "GET /boards/5/columns",
        "GET /api/v1/users/:id/avatar",
        "GET /plugins/latest/{version}",
        "GET /plugins/latest/1.2.3",
        "GET /files/css/site.css",
    ] {
        assert_eq!(missing(route), 0, "{route}");
    }
    for route in [
        "GET /:account/boards/:board_id/sprints",
        "GET /:account/sprints/:id/columns",
        "GET /:account/sprints",
        "GET /users/:id/portrait",
        "GET /plugins/{id}/newest",
    ] {
        assert_eq!(missing(route), 1, "{route}");
    }
}
