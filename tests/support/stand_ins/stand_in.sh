# What the stand-ins `claude`, `gemini` and `agent` have in common: they answer without a model, at once and always the
# same, by the first line of the prompt (`docmill task: plan|repair|page|revise|plan_update|plan_update_repair|edit|sections`).
# Sourced by each, which defines
#   say TEXT      print TEXT, already escaped for JSON, as that command prints an answer
#   fail STATUS   fail as that command does when its provider answers with this HTTP status
#
# Install them with `StandIns::install()` (tests/support/stand_ins.rs): every test gets copies of its own. Their
# environment is scrubbed, so they are controlled by files in the folder `controls` beside them. A control holds for one
# page (`page-SLUG`, `revise-SLUG`, `edit-SLUG`, `sections-SLUG`), for a task (`plan`, `repair`, `page`, `edit` ...) or for all (`all`);
# the narrowest wins. SLUG is `page-1`, `page-2` ... unless another plan is given.
#   pages          how many pages a plan has (3); a file `stand-in-pages` in the repository wins over it
#                  (its file `stand-in-seconds` says how long a page takes)
#   block.KEY      a FIFO: the call waits until somebody has opened it for writing and closed it again. A test knows that
#                  a call waits there once `open(O_WRONLY | O_NONBLOCK)` no longer fails with ENXIO
#   delay.KEY      the call takes 10 to 10 + that many milliseconds
#   text.KEY       the answer, escaped for JSON
#   mode.KEY       one line:
#     ok           the default
#     prose        the answer with a fence and words around it
#     wrong        something else than was asked for, in the command's own form
#     stub         a page of a title only
#     show         a page that holds what the call was given: files of the tree, wishes and prompt, the last two as base64
#     empty        an empty answer
#     garbage      not the command's own form
#     auth, rate-limit, overloaded, no-model    the provider's 401, 429, 529, 404
#     exit N       no output, code N
#     hang         never ends, deaf to SIGTERM, with a child in a session of its own
#     flood        prints for ever
#     daemon       answers, but leaves a process without parent, session and environment behind
#     kill-worker  kill -9 of whoever started it (needs SANDBOX=off: Landlock forbids it)
# Each call adds its key to `controls/calls`, where the sandbox lets it (with SANDBOX=off), and the first line of the
# repository's README after it when there is a control `name-repositories`.

case ${1-} in
--version) printf '1.2.3 (stand-in)\n' && exit 0 ;;
esac

controls=${0%/*}/controls
IFS= read -r task
IFS= read -r slug
task=${task#docmill task: }
key=$task
case $slug in
"slug: "*) key=$task-${slug#slug: } ;;
esac
readme=
[ -e "$controls/name-repositories" ] && IFS= read -r readme <README.md
{ printf '%s\n' "$key${readme:+ $readme}" >>"$controls/calls"; } 2>/dev/null

# sets `control` to the file of the narrowest control of a kind
find_control() {
    for control in "$controls/$1.$key" "$controls/$1.$task" "$controls/$1.all"; do
        [ -e "$control" ] && return 0
    done
    return 1
}

if find_control block; then
    while IFS= read -r _; do :; done <"$control"
fi
if find_control delay; then
    IFS= read -r milliseconds <"$control"
    sleep "0.$(printf '%03d' $((10 + $$ % milliseconds)))"
fi
mode=ok
if find_control mode; then IFS= read -r mode <"$control"; fi

plan() {
    pages=3
    [ -f "$controls/pages" ] && IFS= read -r pages <"$controls/pages"
    [ -f stand-in-pages ] && IFS= read -r pages <stand-in-pages
    entries=
    number=1
    while [ "$number" -le "$pages" ]; do
        entries="$entries"'{\"slug\":\"page-'$number'\",\"title\":\"Page '$number'\",'
        entries="$entries"'\"description\":\"What page '$number' is about.\",\"type\":\"guide\"},'
        number=$((number + 1))
    done
    text='{\"project_name\":\"Stand-in\",\"tagline\":\"Written without a model.\",\"repo_type\":\"app\",'
    text="$text"'\"navigation\":[{\"group\":\"Guide\",\"pages\":['"${entries%,}"']}]}'
}

page() {
    if [ -f stand-in-seconds ]; then
        IFS= read -r seconds <stand-in-seconds
        sleep "$seconds"
    fi
    while IFS= read -r line; do
        case $line in
        *'"title": "'*)
            title=${line#*'"title": "'}
            title=${title%,}
            title=${title%'"'}
            break
            ;;
        esac
    done <"$HOME/../data/page.json"
    for file in *; do [ -f "$file" ] && break; done
    text="# $title\\n\\nThis page tells what there is to know about the subject of $title, so that you can use it.\\n\\n"
    text="$text## What it is for\\n\\nThe project keeps this part in one place, and the other pages build upon what is said"
    text="$text here. You need it whenever you work with the project for more than a few minutes. [[$file:1-1]]\\n\\n"
    text="$text## How to use it\\n\\n1. Open the file and read its first line.\\n2. Change what you need.\\n3. Start again."
    text="$text\\n\\n\`\`\`sh\\ncat $file\\n\`\`\`\\n\\nThe first page tells the rest: [Page 1](page-1.html). [[$file]]\\n"
}

case $mode in
ok | prose | stub | wrong | empty | daemon | show)
    case $task in
    plan | repair) plan ;;
    page | revise) page ;;
    plan_update | plan_update_repair) text='{\"affected\":[]}' ;;
    edit) text='{\"edits\":[]}' ;;
    sections) text='{\"sections\":[]}' ;;
    *) text="unknown task" ;;
    esac
    if find_control text; then IFS= read -r text <"$control"; fi
    ;;
esac
case $mode in
ok) say "$text" ;;
show)
    PATH=/usr/bin:/bin
    files=$(find . -type f | sort | tr '\n' ' ')
    wishes=$(base64 -w0 "$HOME/../data/wishes.json" 2>/dev/null)
    say "$text\\n\`\`\`text\\nfiles: $files\\nwishes: $wishes\\nprompt: $(base64 -w0)\\n\`\`\`\\n"
    ;;
prose) say "Here it is:\\n\\n\`\`\`\\n$text\\n\`\`\`\\n\\nLet me know what you think." ;;
wrong) say "I looked at the files and have nothing to add." ;;
stub) say "# $title\\n" ;;
empty) say "" ;;
garbage) printf 'Segmentation fault (core dumped)\n' ;;
auth) fail 401 ;;
rate-limit) fail 429 ;;
overloaded) fail 529 ;;
no-model) fail 404 ;;
"exit "*) exit "${mode#exit }" ;;
hang)
    trap '' TERM
    setsid sleep 100000 &
    while :; do sleep 1000; done
    ;;
flood) while :; do printf '%65536s' x; done ;;
daemon)
    env -i setsid sleep 100000 </dev/null >/dev/null 2>&1 &
    say "$text"
    ;;
kill-worker) kill -9 "$PPID" ;;
*) printf 'unknown mode %s\n' "$mode" >&2 && exit 99 ;;
esac
