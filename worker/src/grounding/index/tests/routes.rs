//! HTTP routes in the languages whose files are read line by line, by code as one finds it.

use super::*;

fn routes(path: &str, text: &str) -> Vec<String> {
    let (index, _) = Fixture::new(&[(path, text.as_bytes())]).build();
    let mut found: Vec<&super::super::Offer> =
        index.offers().iter().filter(|offer| offer.kind == OfferKind::Route).collect();
    found.sort_by_key(|offer| offer.line);
    found.iter().map(|offer| offer.name.clone()).collect()
}

#[test]
fn routes_of_csharp_are_found() {
    let minimal = r#"
var app = builder.Build();
app.MapGet("/health", () => "ok");
// app.MapGet("/old", () => "ok");
var todos = app.MapGroup("/todos");
todos.MapGet("/", GetAll);
todos.MapPost("/{id:int}/done", async (int id, Db db) => await db.Finish(id));
"#;
    assert_eq!(routes("Program.cs", minimal), ["GET /health", "GET /todos", "POST /todos/{id:int}/done"]);
    let controller = r#"
[ApiController]
[Route("api/[controller]")]
public class OrdersController : ControllerBase
{
    [HttpGet]
    public IActionResult List() => Ok(all);

    [HttpGet("{id}"), Authorize]
    public IActionResult Show(int id) => Ok(all[id]);

    [HttpPost]
    [Route("{id}/pay")]
    [ProducesResponseType(200)]
    public async Task<IActionResult> Pay(int id)
    {
        return Ok();
    }

    [HttpDelete("/admin/[action]")]
    public IActionResult Purge() => Ok();
}
"#;
    let expected = ["GET /api/Orders", "GET /api/Orders/{id}", "POST /api/Orders/{id}/pay", "DELETE /admin/Purge"];
    assert_eq!(routes("OrdersController.cs", controller), expected);
}

#[test]
fn routes_of_ruby_are_found() {
    let sinatra = "require 'sinatra'\n\nget '/status' do\n  'ok'\nend\n\npost \"/jobs/:id\" do |id|\n  # get '/never' do\n  get '/no/block'\nend\n";
    assert_eq!(routes("app.rb", sinatra), ["GET /status", "POST /jobs/:id"]);
    let rails = "Rails.application.routes.draw do
  root 'home#index'
  get '/about', to: 'pages#about'
  get 'search' => 'search#show'
  if Rails.env.development?
    get '/inbox', to: 'mail#index'
  end
  namespace :api do
    namespace :v1 do
      resources :users, only: [:index, :show] do
        member do
          post :block
        end
        collection do
          get 'active'
        end
        resources :posts, only: :create
      end
      resource :session, only: %i[create destroy]
    end
  end
  scope '/admin' do
    resources :tags, except: [:new, :edit, :update]
  end
end
";
    let mut found = routes("config/routes.rb", rails);
    found.sort();
    let mut expected = [
        "GET /",
        "GET /about",
        "GET /search",
        "GET /inbox",
        "GET /api/v1/users",
        "GET /api/v1/users/{id}",
        "POST /api/v1/users/{id}/block",
        "GET /api/v1/users/active",
        "POST /api/v1/users/{parent_id}/posts",
        "POST /api/v1/session",
        "DELETE /api/v1/session",
        "GET /admin/tags",
        "POST /admin/tags",
        "GET /admin/tags/{id}",
        "DELETE /admin/tags/{id}",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn routes_of_php_are_found() {
    let laravel = "<?php
use Illuminate\\Support\\Facades\\Route;

Route::get('/users/{user}', [UserController::class, 'show']);
Route::middleware(['auth'])->post('logout', LogoutController::class);
// Route::get('/old', fn () => 1);
Route::apiResource('photos', PhotoController::class)->only(['index', 'show']);
$response = Http::get('https://example.org/');
";
    assert_eq!(
        routes("routes/api.php", laravel),
        ["GET /users/{user}", "POST /logout", "GET /photos", "GET /photos/{id}"]
    );
    let slim = "<?php
$app->get('/books/{id}', function (Request $request, Response $response) {
    return $response;
});
$group->delete('/{id}', BookDelete::class);
$client->get('/elsewhere', []);
";
    assert_eq!(routes("public/index.php", slim), ["GET /books/{id}", "DELETE /{id}"]);
}

#[test]
fn routes_of_django_are_found_and_patterns_are_read_as_paths() {
    let urls = "urlpatterns = [
    path('admin/', admin.site.urls),
    re_path(r'^$', root_view),
    re_path(r'^users/(?P<id>\\d+)/posts/$', posts),
    url(r'^(a|b)\\.html$', pages),
]
";
    assert_eq!(routes("app/urls.py", urls), ["ANY /admin/", "ANY /", "ANY /users/<id>/posts/"]);
}

#[test]
fn routes_of_php_stand_below_their_groups() {
    let slim = "<?php
$app->post('/login', Login::class);
$app->group('/api/v1', function () use ($app): void {
    $app->group('/tasks', function () use ($app): void {
        $app->get('', GetAll::class);
        $app->put('/{id}', Update::class);
    })->add(new Auth());
    $app->get('/me', Me::class);
});
$app->get('/status', Status::class);
";
    let expected = ["POST /login", "GET /api/v1/tasks", "PUT /api/v1/tasks/{id}", "GET /api/v1/me", "GET /status"];
    assert_eq!(routes("src/Routes.php", slim), expected);
    let laravel = "<?php
use Illuminate\\Support\\Facades\\Route;

Route::middleware('auth')
    ->prefix('admin')
    ->group(static function () {
        Route::apiResource('photos', PhotoController::class)->only(['index']);
        Route::prefix('stats')->get('daily', StatsController::class);
        Route::get('users/{user}', ShowUser::class);
    });
Route::group([
    'prefix' => 'hooks',
    'middleware' => ['signed'],
], function () {
    Route::post('paid', Paid::class);
});
Route::middleware('auth')->group(function () {
    Route::get('home', Home::class);
});
";
    let expected =
        ["GET /admin/photos", "GET /admin/stats/daily", "GET /admin/users/{user}", "POST /hooks/paid", "GET /home"];
    assert_eq!(routes("routes/web.php", laravel), expected);
}

#[test]
fn routes_of_kotlin_are_found() {
    let ktor = "import io.ktor.server.routing.*

fun Application.module() {
    routing {
        get(\"/\") { call.respondText(\"hello\") }
        route(\"/orders\") {
            get { call.respond(all()) }
            post(\"/{id}/pay\") {
                call.respond(pay(call.parameters[\"id\"]))
            }
        }
        delete(\"/cache\") {
        }
    }
}
";
    assert_eq!(routes("src/Main.kt", ktor), ["GET /", "GET /orders", "POST /orders/{id}/pay", "DELETE /cache"]);
    let spring = "@RestController
@RequestMapping(\"/api/books\")
class BookController(private val books: Books) {
    @GetMapping
    fun all() = books.all()

    @GetMapping(\"/{id}\")
    fun one(@PathVariable id: Long) = books.one(id)

    @RequestMapping(value = [\"/all\"], method = [RequestMethod.DELETE])
    fun clear() = books.clear()
}
";
    assert_eq!(routes("src/Books.kt", spring), ["GET /api/books", "GET /api/books/{id}", "DELETE /api/books/all"]);
}

#[test]
fn routes_of_swift_are_found() {
    let vapor = "import Vapor

func routes(_ app: Application) throws {
    app.get { req in \"It works\" }
    app.get(\"hello\", \":name\") { req -> String in
        let other = try await req.client.get(\"https://example.org/status\")
        return \"hello\"
    }
    let users = app.grouped(\"api\", \"users\")
    users.post(use: create)
    users.delete(\":id\", use: remove)
    app.group(\"admin\") { admin in
        admin.get(\"stats\") { req async throws in 1 }
    }
}
";
    let expected = ["GET /hello/:name", "POST /api/users", "DELETE /api/users/:id", "GET /admin/stats"];
    assert_eq!(routes("Sources/App/routes.swift", vapor), expected);
}
