#!/usr/bin/env bash
# Start the engine's hour on GitHub Actions, follow it to its end, and tell the operator what went wrong.
#
#   dispatch.sh [--check | --dry-run | --local] [--inbox] [--slot HOUR] [ENV_FILE]
#
#   (nothing)   start the hour by workflow_dispatch and follow the run
#   --local     run the hour on this machine instead (Actions is down or disabled)
#   --inbox     no hour: read and answer what was written to the bot, with the engine of this machine
#   --check     prove settings, token, workflow and Telegram; starts nothing. With --inbox, the inbox's too
#   --dry-run   show what would be sent; contacts nobody
#
# ENV_FILE is ~/.config/binance-dispatch/env unless named; README.md lists its settings and every alert.
# Exit: 0 the hour succeeded - 1 it did not, and an alert says why - 2 bad settings or arguments - 75 an earlier start
# is still at work. With --local and --inbox: the engine's own code.
#
# Needs bash 5, curl, flock and a POSIX system. Rules it keeps:
# - A secret reaches curl on standard input only: never an argument, a log line, an alert or a file.
# - Everything that waits is bounded; all waits of one start together stay below an hour, whatever the wall clock does.
# - An answer is never written to a file: on a full disk the hour is started, followed and told all the same.
# - A start that was retried may have worked the first time. The slot makes the second run harmless: the engine's lease
#   lets one win, and the other leaves without trading.
set -uo pipefail
umask 077
export LC_ALL=C TZ=UTC

readonly TRANSIENT=' 000 429 500 502 503 504 '
readonly FIRST_DELAY_S=5 RETRY_AFTER_MAX_S=300 DISPATCH_BUDGET_S=600
readonly LOG_BYTES_MAX=262144 ANSWER_BYTES_MAX=1000000 UNSENT_MAX=3000 TEXT_MAX=3500 SHOWN_MAX=35
readonly REPOSITORY='[A-Za-z0-9][A-Za-z0-9_-]*/[.]?[A-Za-z0-9_-][A-Za-z0-9_.-]*'
readonly REF='[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*'
readonly IDS='[1-9][0-9]{0,15}( *, *[1-9][0-9]{0,15})*'
readonly LOCAL_LIMIT_S=600 INBOX_LIMIT_S=50 CHECK_LIMIT_S=60 KILL_AFTER_S=15 INBOX_ALERT_S=900

declare -A setting=(
    [DISPATCH_REPOSITORY]='' [DISPATCH_WORKFLOW]=main.yml [DISPATCH_REF]=main [DISPATCH_TOKEN]='' [DISPATCH_MODE]=live
    [DISPATCH_API_URL]=https://api.github.com [DISPATCH_PING_URL]='' [DISPATCH_ENGINE_DIR]='' [DISPATCH_FALLBACK]=none
    [DISPATCH_STATE_DIR]="${XDG_STATE_HOME:-$HOME/.local/state}/binance-dispatch"
    [DISPATCH_ATTEMPTS]=5 [DISPATCH_HTTP_TIMEOUT_S]=30 [DISPATCH_POLL_S]=10 [DISPATCH_START_LIMIT_S]=600
    [DISPATCH_RUN_LIMIT_S]=900 [DISPATCH_HEARTBEAT_LIMIT_S]=7500 [DISPATCH_TIME_SCALE]=1
    [TG_TOKEN]='' [TG_CHAT_ID]='' [TG_COMMAND_IDS]='' [TG_API_URL]=https://api.telegram.org [NOTIFY_LANG]=en
)
declare -A engine=()    # what only the engine reads; exported where it runs here
declare -a problems=()  # everything that is wrong with the settings
action=dispatch inbox='' slot='' env_file="${XDG_CONFIG_HOME:-$HOME/.config}/binance-dispatch/env"
state='' logbook=dispatch.log unwritable='' lock='' child='' run_id='' run_url=''
code=0 late=0 last='' # of the engine that ran here
status=000 body='' headers='' page=''

# --- the flow ---------------------------------------------------------------------------------------------------------

main() {
    read_arguments "$@"
    read_env_file
    check_settings
    case $action in
        dry-run) show_plan; return 0 ;;
        check) prepare; check_everything; return ;;
    esac
    prepare
    if [[ $action == inbox ]]; then # beside an hour that is at work: the engine's store lets one of two obey a message
        take_lock inbox.lock || return 75
        read_inbox
        return
    fi
    if ! take_lock lock; then
        alert overlap "$(say 'an earlier start is still at work; this one did nothing' '上一次启动仍在进行，本次没有做任何事')"
        return 75
    fi
    log "start: $action of $slot"
    if [[ -n $unwritable ]]; then
        alert disk "$(say "nothing can be written to $state: no log is kept, and nobody watches the heartbeat" \
            "无法写入 $state：没有日志，也无人监视心跳")"
    fi
    tell_unsent
    watch_heartbeat
    if [[ $action == local ]]; then
        run_local
        return
    fi
    if start_run; then
        follow_run
    elif [[ ${setting[DISPATCH_FALLBACK]} == local ]]; then
        log "falling back to this machine"
        run_local
    else
        return 1
    fi
}

# take_lock NAME: held until this process ends; fails where another one has it.
take_lock() {
    { exec {lock}>"$state/$1"; } 2>/dev/null || no_state lock
    flock -n "$lock"
}

# Ask GitHub for a run of this hour; sets run_id if the server names it. Alerts and fails where it is not accepted.
start_run() {
    local attempt delay=$FIRST_DELAY_S asked began
    local mode=${setting[DISPATCH_MODE]}
    local request="{\"ref\":\"${setting[DISPATCH_REF]}\",\"inputs\":{\"slot\":\"$slot\",\"mode\":\"$mode\"},\"return_run_details\":true}"
    now_ms; began=$REPLY
    for ((attempt = 1; ; attempt++)); do
        github POST "actions/workflows/${setting[DISPATCH_WORKFLOW]}/dispatches" "$request"
        log "dispatch of $slot, attempt $attempt: $(told)"
        case $status in
            200 | 204)
                field workflow_run_id '[0-9]+' && run_id=$REPLY
                watch_token
                return 0
                ;;
        esac
        if ! transient; then
            alert refused "$(say 'GitHub refused the start:' 'GitHub 拒绝了启动：') HTTP $status: $(meaning)"
            return 1
        fi
        asked_wait && asked=$REPLY || asked=$((delay + RANDOM % (delay / 2 + 1)))
        ((asked > RETRY_AFTER_MAX_S)) && asked=$RETRY_AFTER_MAX_S
        elapsed "$began"
        if ((attempt >= setting[DISPATCH_ATTEMPTS] || REPLY + asked > DISPATCH_BUDGET_S)); then
            alert unreachable "$(say "GitHub did not take the start in $attempt attempts, the last:" \
                "GitHub 在 $attempt 次尝试中都没有接受启动，最后一次：") $(told)"
            return 1
        fi
        pause "$asked"
        delay=$((delay * 2))
    done
}

# Follow the run to its end within the limits; alerts on every end but success.
follow_run() {
    local began run_state='' conclusion limit=${setting[DISPATCH_START_LIMIT_S]}
    now_ms; began=$REPLY
    while :; do
        pause "${setting[DISPATCH_POLL_S]}"
        look_at_run
        if [[ $status != 200 ]] && asked_wait; then pause "$((REPLY < RETRY_AFTER_MAX_S ? REPLY : RETRY_AFTER_MAX_S))"; fi
        if [[ $status == 200 && -n $run_id ]] && field status '[a-z_]+'; then
            # The limit for the run itself counts from the moment that it is first seen running.
            if [[ $REPLY == in_progress && $run_state != in_progress ]]; then
                limit=${setting[DISPATCH_RUN_LIMIT_S]}
                now_ms; began=$REPLY; run_state=in_progress
                continue
            fi
            run_state=$REPLY
            if [[ $run_state == completed ]]; then
                field conclusion '[a-z_]+' && conclusion=$REPLY || conclusion=unknown
                end_run "$conclusion"
                return
            fi
        fi
        elapsed "$began"
        ((REPLY > limit)) && break
    done
    case $run_state in
        in_progress) alert not_finished "$(say "the run is still going after $limit s" "运行在 $limit 秒后仍未结束")" ;;
        '') alert not_started "$(say "no run was seen within $limit s, the last answer:" \
            "$limit 秒内没有看到运行，最后的回答：") $(told)" ;;
        *) alert not_started "$(say "the run is still '$run_state' after $limit s: no runner took it" \
            "运行在 $limit 秒后仍是 '$run_state'：没有运行机接手")" ;;
    esac
    return 1
}

# Read the run; while its id is not known (204, or an answer without it) look for the newest run named after this hour.
look_at_run() {
    if [[ -z $run_id ]]; then
        github GET "actions/workflows/${setting[DISPATCH_WORKFLOW]}/runs?event=workflow_dispatch&per_page=10"
        [[ $status == 200 ]] || return
        local title="\"display_title\"[[:space:]]*:[[:space:]]*\"hour $slot\""
        [[ $body =~ \"id\"[[:space:]]*:[[:space:]]*([0-9]+)[^{}]*$title ]] || return
        run_id=${BASH_REMATCH[1]}
    fi
    github GET "actions/runs/$run_id"
    [[ $status == 200 ]] && field html_url 'https://[A-Za-z0-9./_-]+' && run_url=$REPLY
}

# end_run CONCLUSION: the run has ended.
end_run() {
    log "run $run_id ended: $1"
    case $1 in
        success) succeeded; return 0 ;;
        cancelled) alert cancelled "$(say 'the run was cancelled; nobody knows how far it came: the next hour settles it' \
            '运行被取消，不知进行到哪一步：下一小时会结清')" ;;
        timed_out) alert timed_out "$(say 'the run was stopped by its time limit: the next hour settles what was open' \
            '运行因超时被停止：下一小时会结清未决事项')" ;;
        failure)
            if engine_words; then
                alert failed "$REPLY" "$page"
            else
                alert failed "$(say 'a step failed and the engine did not say how it ended' '有步骤失败，引擎没有说明如何结束')"
            fi
            ;;
        *) alert failed "$(say "the run ended with '$1'" "运行以 '$1' 结束")" ;;
    esac
    return 1
}

# How the engine ended, into REPLY, and its runbook page, into page: a job says it by the one failed step named `engine
# exit N` or `engine stopped`. A run with several accounts has a job for each; where they differ, the page is the alert's.
engine_words() {
    local word meant='' name='"name"[[:space:]]*:[[:space:]]*"engine' bad='"conclusion"[[:space:]]*:[[:space:]]*"failure"'
    page=''
    github GET "actions/runs/$run_id/jobs?per_page=100"
    [[ $status == 200 ]] || return 1
    for word in 'exit 1' 'exit 2' 'exit 3' 'exit 4' stopped; do
        if [[ $body =~ ${name}\ ${word}\"[^{}]*${bad} || $body =~ ${bad}[^{}]*${name}\ ${word}\" ]]; then
            page=$([[ -z $meant ]] && exit_page "${word#exit }")
            meant+=${meant:+$'\n'}$(exit_meaning "${word#exit }")
        fi
    done
    REPLY=$meant
    [[ -n $meant ]]
}

exit_meaning() {
    case $1 in
        1) say 'engine exit 1: an error nobody foresaw' '引擎退出码 1：意外错误' ;;
        2) say 'engine exit 2: the settings are wrong' '引擎退出码 2：配置错误' ;;
        3) say 'engine exit 3: stopped before trading, nothing was sent' '引擎退出码 3：交易前中止，没有发出任何订单' ;;
        4) say 'engine exit 4: an order failed or is unknown' '引擎退出码 4：有订单失败或结果未知' ;;
        stopped) say 'the engine was told to stop and gave its lease back: the next run goes on' \
            '引擎被要求停止并已归还租约：下一次运行会继续' ;;
        *) say "engine exit $1: it was killed; the next hour settles what was open" \
            "引擎退出码 $1：被强行终止；下一小时会结清未决事项" ;;
    esac
}

exit_page() {
    case $1 in
        1) printf unexpected ;;
        2) printf settings ;;
        3) printf aborted ;;
        4) printf order_failed ;;
        stopped) printf stopped ;;
        *) printf exit-codes ;;
    esac
}

# Run the hour here.
run_local() {
    local word
    run_engine local.out "$LOCAL_LIMIT_S" main.py --mode "${setting[DISPATCH_MODE]}" --slot "$slot"
    log "local hour $slot: exit $code: ${last:0:2000}"
    if ((code == 0)); then
        succeeded
    elif ((late)); then
        alert timed_out "$(say "the local hour did not end within $LOCAL_LIMIT_S s and was stopped" \
            "本机运行在 $LOCAL_LIMIT_S 秒内没有结束，已被停止")"
    else
        word=$code
        [[ $last =~ \"status\":\ *\"(stopped|cut_short)\" ]] && word=stopped
        alert failed "$(say 'local hour,' '本机运行：') $(exit_meaning "$word")" "$(exit_page "$word")"
    fi
    return "$code"
}

# run_engine OUTPUT LIMIT_S ARGUMENT...: its python, with the engine's own variables of the env file in its environment.
# Sets code, late (it was stopped at the limit) and last, its last line.
run_engine() {
    local output=$state/$1 limit=$2 began line=''
    shift 2
    code=0 late=0 last=''
    trap 'stop_child TERM' INT TERM
    # Where its words cannot be kept, it runs all the same; how it ended, its code says.
    { : >"$output"; } 2>/dev/null || output=/dev/null
    (
        cd "${setting[DISPATCH_ENGINE_DIR]}" || exit 127
        [[ -z $lock ]] || exec {lock}>&- # a child that outlives us must not hold the lock
        for name in "${!engine[@]}"; do export "$name=${engine[$name]}"; done
        exec .venv/bin/python "$@"
    ) >"$output" 2>&1 &
    child=$!
    now_ms; began=$REPLY
    while kill -0 "$child" 2>/dev/null; do
        elapsed "$began"
        if ((REPLY > limit)); then
            late=1
            stop_child TERM
            pause "$KILL_AFTER_S"
            stop_child KILL
        fi
        pause 1
    done
    wait "$child" || code=$?
    while read -r line || [[ -n $line ]]; do [[ -n $line ]] && last=$line; done < <(tail -c 4000 "$output")
}

stop_child() {
    [[ -n $child ]] && kill -"$1" "$child" 2>/dev/null
}

# --- the inbox --------------------------------------------------------------------------------------------------------

# Read, obey and answer what was written to the bot, in mode live: to read a message is to confirm it. Nothing is logged
# where nothing was written; a fault is logged when it begins and when it ends, and told when it lasts.
read_inbox() {
    run_engine inbox.out "$INBOX_LIMIT_S" -m runtime --mode live inbox
    if ((late)); then
        inbox_failed "it did not end within $INBOX_LIMIT_S s and was stopped"
    elif ((code)); then
        inbox_failed "exit $code: ${last:0:1000}"
    else
        [[ $last =~ \"(read|obeyed|answered)\":\ *[1-9] ]] && log "inbox: ${last:0:1000}"
        inbox_works
    fi
    return "$code"
}

# inbox_failed FAULT: `inbox_failed` in the state folder holds since when, whether it was told, and what it was.
inbox_failed() {
    local since='' told=no before='' fault
    redact "$1"; fault=${REPLY//[[:cntrl:]]/ }
    [[ -s $state/inbox_failed ]] && read -r since told before <"$state/inbox_failed"
    # A moment after now was noted while the clock was wrong.
    [[ $since =~ ^[0-9]{1,12}$ ]] && ((10#$since <= $(seconds))) || since=$(seconds)
    [[ $fault == "$before" ]] || log "inbox: $fault"
    if [[ $told != yes ]] && (($(seconds) - 10#$since > INBOX_ALERT_S)); then
        alert inbox "$(say "messages to the bot have not been read for $((($(seconds) - 10#$since) / 60)) minutes:" \
            "已有 $((($(seconds) - 10#$since) / 60)) 分钟没有读取发给机器人的消息：") $fault" && told=yes
    fi
    note inbox_failed "$since $told $fault"
}

inbox_works() {
    [[ -e $state/inbox_failed ]] || return 0
    log "inbox: works again"
    rm -f "$state/inbox_failed"
}

# --- the dead man's switch --------------------------------------------------------------------------------------------

# Told once when the last success is too long ago, and again when it is over.
watch_heartbeat() {
    local age heard told_for=''
    [[ -z $unwritable ]] || return 0 # what it would read is old
    [[ -s $state/last_success ]] || note last_success "$(seconds)" # a new installation gets its first chance
    heard=$(<"$state/last_success")
    [[ $heard =~ ^[0-9]{1,12}$ ]] || heard=0
    age=$(($(seconds) - heard))
    if ((age < -3600)); then # noted while the clock was wrong: it would keep us quiet until then
        note last_success "$(seconds)"
        age=0
    fi
    [[ -s $state/heartbeat_told ]] && told_for=$(<"$state/heartbeat_told")
    if ((age > setting[DISPATCH_HEARTBEAT_LIMIT_S])) && [[ $told_for != "$heard" ]]; then
        alert heartbeat "$(say "no hour has succeeded for $((age / 60)) minutes" "已有 $((age / 60)) 分钟没有成功的运行")" &&
            note heartbeat_told "$heard"
    fi
}

# GitHub names the token's last day with every answer; told once a day from a week before.
watch_token() {
    local expiry today soon told_on=''
    header_value github-authentication-token-expiration || return 0
    expiry=${REPLY:0:10}
    printf -v today '%(%F)T' -1
    printf -v soon '%(%F)T' $(($(seconds) + 7 * 86400))
    [[ -s $state/token_told ]] && told_on=$(<"$state/token_told")
    if [[ ! $expiry > $soon && $told_on != "$today" ]]; then
        alert token "$(say "the GitHub token expires on $expiry: make a new one and put it into the env file" \
            "GitHub 令牌将于 $expiry 到期：请新建一个并写入 env 文件")" &&
            note token_told "$today"
    fi
}

succeeded() {
    note last_success "$(seconds)"
    if [[ -s $state/heartbeat_told ]]; then
        alert recovered "$(say 'an hour has succeeded again' '运行已恢复成功')" && rm -f "$state/heartbeat_told"
    fi
    if [[ -n ${setting[DISPATCH_PING_URL]} ]]; then
        call GET "${setting[DISPATCH_PING_URL]}" ''
        log "ping: $(told)"
    fi
}

# --- alerts and log ---------------------------------------------------------------------------------------------------

# alert KIND TEXT [PAGE]: tell the operator, with the kind's page of the runbook, or PAGE; what Telegram does not take is
# kept for the next start.
alert() {
    local text about=docs/runbook/${3:-outside/$1}.md repository=${setting[DISPATCH_REPOSITORY]}
    [[ $repository =~ ^($REPOSITORY)$ ]] || repository='' # what else stands there may be a secret
    text="$(say 'engine dispatch' 引擎调度): $1
${repository:+$repository, }$(say hour 小时) $slot
$2"
    shorten "$text" "$TEXT_MAX"; text=$REPLY
    [[ -n $run_url ]] && text+=$'\n'$run_url
    if [[ -n $repository && ${setting[DISPATCH_REF]} =~ ^($REF)$ ]]; then
        about="$(web)/$repository/blob/${setting[DISPATCH_REF]}/$about"
    fi
    text+=$'\n'$about
    log "alert $1: $2"
    send_telegram "$text" && return 0
    [[ $action == inbox ]] && return 1 # tried again in a minute
    log "alert $1 was NOT delivered; it is kept for the next start"
    printf 'dispatch.sh: alert not delivered: %s: %s\n' "$1" "$2" >&2
    [[ -n $state ]] && { printf '%s\n' "$text" >>"$state/unsent"; } 2>/dev/null
    return 1
}

# say ENGLISH CHINESE: the words in the operator's language.
say() {
    if [[ ${setting[NOTIFY_LANG]} == zh ]]; then printf '%s' "$2"; else printf '%s' "$1"; fi
}

# Where people read the repository: GitHub's own site, or the Enterprise server that serves the API.
web() {
    local api=${setting[DISPATCH_API_URL]}
    if [[ $api == https://api.github.com ]]; then printf https://github.com; else printf '%s' "${api%%/api/*}"; fi
}

# Deliver what an earlier start could not. A cut may not leave half a character: Telegram would refuse all of it.
tell_unsent() {
    [[ -s $state/unsent ]] || return 0
    local text
    text=$(tail -c "$UNSENT_MAX" "$state/unsent")
    while [[ $text == [$'\x80'-$'\xbf']* ]]; do text=${text:1}; done
    send_telegram "$(say 'not delivered earlier:' '之前未能送达：')"$'\n'"$text" && rm -f "$state/unsent"
}

# Plain text without markup: nothing in it can be read as markup.
send_telegram() {
    local attempt wait_s text chat moved=''
    redact "$1"; text=$REPLY
    json_text "$text"; text=$REPLY
    json_text "${setting[TG_CHAT_ID]}"; chat=$REPLY
    for attempt in 1 2 3; do
        telegram sendMessage "{\"chat_id\":\"$chat\",\"text\":\"$text\",\"link_preview_options\":{\"is_disabled\":true}}"
        [[ $status == 200 && $body == *'"ok"'*true* ]] && return 0
        log "telegram, attempt $attempt: $(told)"
        if [[ $status == 400 && -z $moved ]] && field migrate_to_chat_id '-?[0-9]{1,20}'; then
            chat=$REPLY # told in the group alone, above the line that names the page
            moved="$(say "this group has a new id: set TG_CHAT_ID=$chat" "本群组有了新编号：请设置 TG_CHAT_ID=$chat")"
            text="${text%'\n'*}\n$moved\n${text##*'\n'}"
            log 'telegram: the group has a new id; its message names it: set TG_CHAT_ID'
            continue
        fi
        [[ $status == 200 ]] || transient || return 1
        wait_s=$((attempt * 3))
        field retry_after '[0-9]{1,4}' && wait_s=$((REPLY < 30 ? REPLY : 30))
        ((attempt < 3)) && pause "$wait_s"
    done
    return 1
}

# One line, without secrets.
log() {
    [[ -n $state ]] || return 0
    redact "$1"
    { printf '%(%FT%TZ)T %s\n' -1 "${REPLY//[[:cntrl:]]/ }" >>"$state/$logbook"; } 2>/dev/null || unwritable=1
}

# note NAME TEXT: keep it in the state folder, whole or as it was before.
note() {
    { printf '%s\n' "$2" >"$state/$1.new" && mv -f "$state/$1.new" "$state/$1"; } 2>/dev/null || unwritable=1
}

# shorten TEXT BYTES, into REPLY: Telegram refuses what is too long, and what ends in half a character.
shorten() {
    REPLY=$1
    ((${#1} > $2)) || return 0
    REPLY=${1:0:$2}
    while [[ $REPLY == *[$'\x80'-$'\xbf'] ]]; do REPLY=${REPLY%?}; done
    REPLY="${REPLY%[$'\xc0'-$'\xff']} ..."
}

# Of the log, and of what could not be told, two files of a quarter of a megabyte at most.
rotate() {
    local size name
    for name in "$logbook" unsent; do
        [[ $name == unsent && $action == inbox ]] && continue # the hour's
        size=0
        [[ -f $state/$name ]] && size=$(wc -c <"$state/$name")
        ((size > LOG_BYTES_MAX)) && mv -f "$state/$name" "$state/$name.1"
    done
    return 0
}

redact() {
    REPLY=$1
    local name
    for name in DISPATCH_TOKEN TG_TOKEN DISPATCH_PING_URL; do
        [[ -n ${setting[$name]} ]] && REPLY=${REPLY//"${setting[$name]}"/***}
    done
    for name in "${!engine[@]}"; do
        [[ $name =~ KEY|SECRET|TOKEN|CHANNEL && -n ${engine[$name]} ]] && REPLY=${REPLY//"${engine[$name]}"/***}
    done
    return 0
}

# --- requests ---------------------------------------------------------------------------------------------------------

# github METHOD PATH [BODY]: PATH is below the repository.
github() {
    call "$1" "${setting[DISPATCH_API_URL]}/repos/${setting[DISPATCH_REPOSITORY]}${2:+/$2}" "${3:-}" \
        "Authorization: Bearer ${setting[DISPATCH_TOKEN]}" 'Accept: application/vnd.github+json' \
        'X-GitHub-Api-Version: 2022-11-28' 'User-Agent: binance-dispatch'
}

telegram() {
    call POST "${setting[TG_API_URL]}/bot${setting[TG_TOKEN]}/$1" "$2" 'Content-Type: application/json'
}

# call METHOD URL BODY HEADER...: one request; sets status (000 = no whole answer), body and headers. Everything that
# could be secret goes to curl as a configuration on its standard input; headers, body, and a last line with the bytes of
# the headers and the status come back on its standard output.
call() {
    local method=$1 url=$2 data=$3 config='' header answer='' headers_size
    shift 3
    config_text "$url"; config+="url = \"$REPLY\""$'\n'
    for header in "$@"; do config_text "$header"; config+="header = \"$REPLY\""$'\n'; done
    [[ -n $data ]] && { config_text "$data"; config+="data-binary = \"$REPLY\""$'\n'; }
    status=000 body='' headers=''
    { answer=$(printf '%s' "$config" | curl --disable --config - --request "$method" --silent --globoff \
        --proto =http,https --connect-timeout 10 --max-time "${setting[DISPATCH_HTTP_TIMEOUT_S]}" \
        --max-filesize "$ANSWER_BYTES_MAX" --output - --dump-header - --write-out '\n%{size_header} %{http_code}' |
        head -c "$ANSWER_BYTES_MAX"); } 2>/dev/null || return 0
    [[ ${answer##*$'\n'} =~ ^([0-9]+)\ ([0-9]{3})$ ]] || return 0
    headers_size=${BASH_REMATCH[1]} status=${BASH_REMATCH[2]}
    headers=${answer:0:headers_size}
    headers=${headers//$'\r'/}
    answer=${answer%$'\n'*}
    body=${answer:headers_size}
}

# Is the last answer one that a later try may change? A 403 only where it carries a rate limit.
transient() {
    [[ $TRANSIENT == *" $status "* ]] && return 0
    [[ $status == 403 ]] || return 1
    header_value retry-after && return 0
    header_value x-ratelimit-remaining && [[ $REPLY == 0 ]]
}

# Seconds that the last answer asks us to wait.
asked_wait() {
    header_value retry-after && [[ $REPLY =~ ^[0-9]{1,6}$ ]] && return 0
    header_value x-ratelimit-remaining && [[ $REPLY == 0 ]] || return 1
    header_value x-ratelimit-reset && [[ $REPLY =~ ^[0-9]{1,12}$ ]] || return 1
    REPLY=$((REPLY - $(seconds)))
    ((REPLY < 1)) && REPLY=1
    return 0
}

# header_value NAME: in lower case.
header_value() {
    [[ $'\n'${headers,,} =~ $'\n'"$1":[[:blank:]]*([^$'\n']*) ]] && REPLY=${BASH_REMATCH[1]}
}

# field NAME PATTERN: the first value of that name in the JSON answer, if it has that form. A name inside a text cannot
# match: its quotation marks are escaped there.
field() {
    [[ $body =~ \"$1\"[[:space:]]*:[[:space:]]*\"?($2)\"?[[:space:]]*[,}] ]] && REPLY=${BASH_REMATCH[1]}
}

told() {
    if [[ $status == 000 ]]; then say 'no answer' 没有回答; else printf 'HTTP %s' "$status"; fi
}

meaning() {
    case $status in
        401) say 'the token is wrong, revoked or expired' '令牌错误、已撤销或已过期' ;;
        403) say 'the token may not start workflows: it needs the repository permission Actions: write' \
            '令牌无权启动工作流：需要仓库权限 Actions: write' ;;
        404) say 'no such repository or workflow, or the token cannot see it' '仓库或工作流不存在，或令牌无权查看' ;;
        422) say 'the workflow is disabled, lacks an input, or the branch does not exist' '工作流被停用、缺少输入，或分支不存在' ;;
        *) say 'an answer that GitHub does not document for this call' 'GitHub 文档没有说明的回答' ;;
    esac
}

# --- settings ---------------------------------------------------------------------------------------------------------

read_arguments() {
    while (($#)); do
        case $1 in
            --check | --dry-run | --local) action=${1#--} ;;
            --inbox) inbox=1 ;;
            --slot) (($# > 1)) || stop '--slot: name a UTC hour, as 2026-11-21T09Z'; slot=$2; shift ;;
            -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
            -*) stop "unknown argument: $1; --help lists them" ;;
            *) env_file=$1 ;;
        esac
        shift || break
    done
    if [[ -n $inbox ]]; then
        case $action in
            dispatch) action=inbox logbook=inbox.log ;;
            check) ;;
            *) stop "--inbox: goes with --check or alone, not with --$action" ;;
        esac
    fi
    [[ -n $slot ]] || printf -v slot '%(%Y-%m-%dT%HZ)T' -1
    [[ $slot =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}Z?$ ]] || stop "--slot: '$slot': write a UTC hour as 2026-11-21T09Z"
    slot=${slot%Z}Z
}

stop() {
    printf 'dispatch.sh: %s\n' "$@" >&2
    exit 2
}

# NAME=value lines, never executed. Refused unless it is ours and nobody else can read it.
read_env_file() {
    local line number=0 mode
    ((BASH_VERSINFO[0] >= 5)) || stop "bash $BASH_VERSION is too old: 5 or newer is needed"
    [[ ! -L $env_file ]] || stop "$env_file: is a link: put the file itself there, or name the file it leads to"
    [[ -f $env_file ]] || stop "$env_file: no such file: copy vps-dispatch.env.example there (install.sh does)"
    [[ -O $env_file ]] || stop "$env_file: belongs to another user: chown it to the user that runs this"
    mode=$(ls -ld -- "$env_file")
    mode=${mode%% *}
    [[ ${mode%.} == -rw------- ]] || stop "$env_file: mode is $mode: run chmod 600 on it"
    while IFS= read -r line || [[ -n $line ]]; do
        ((++number > 1)) || line=${line#$'\xef\xbb\xbf'} # some editors begin a file with this mark
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        if [[ $line =~ ^([A-Z][A-Z0-9_]*)=(.*)$ ]]; then
            keep "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        else
            problems+=("line $number is not NAME=value")
        fi
    done <"$env_file"
}

keep() {
    local name=$1 value=$2
    value=${value%"${value##*[![:space:]]}"}
    if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
    if [[ -v setting[$name] ]]; then
        [[ -n $value ]] && setting[$name]=$value
    elif [[ ! $name =~ ^(ENGINE|BINANCE|STRATEGY|BTC|NOTIFY|GLOBAL|GOOGLE)_ ]]; then
        problems+=("${name:0:60}: no such setting; README.md lists them")
        return
    fi
    # Telegram's are the engine's too; the DISPATCH_ ones are not.
    if [[ ! $name =~ ^DISPATCH_ && -n $value ]]; then engine[$name]=$value; fi
}

# must NAME PATTERN FIX: a value that is never shown where it may be secret, in its own place or (a missing line end, a
# paste into the wrong line) in another's; tokens and keys are longer than what is shown.
must() {
    [[ ${setting[$1]} =~ ^($2)$ ]] && return
    local shown="'${setting[$1]}'"
    [[ -z ${setting[$1]} ]] && shown='not set'
    [[ $1 =~ TOKEN|CHAT|PING|IDS && -n ${setting[$1]} ]] && shown='(hidden)'
    ((${#setting[$1]} > SHOWN_MAX)) && shown="(${#setting[$1]} characters, hidden)"
    problems+=("$1: $shown: $3")
}

check_settings() {
    local host='https://[A-Za-z0-9.-]+(:[0-9]+)?' test_host='http://127\.0\.0\.1:[0-9]+' name total only=''
    must DISPATCH_MODE 'live|dry_run|paper' 'live, dry_run or paper'
    [[ -n ${setting[TG_TOKEN]} && -n ${setting[TG_CHAT_ID]} ]] ||
        only='; this script tells by Telegram alone, also where the engine has another channel (ENGINE_CHANNEL_URL)'
    must TG_TOKEN '[0-9]+:[A-Za-z0-9_-]{10,}' "the bot's token, as 123456:ABC...$only"
    must TG_CHAT_ID '-?[0-9]{1,20}|@[A-Za-z0-9_]+' "the id of the chat, or @name$only"
    must TG_COMMAND_IDS "|$IDS" 'ids of people, as 12345678,87654321'
    must NOTIFY_LANG 'en|zh' 'en or zh'
    must TG_API_URL "https://api\.telegram\.org|$test_host" "Telegram's own, or loopback for tests"
    must DISPATCH_PING_URL "|https://[!-~]+|${test_host}[!-~]*" 'an https address, or nothing'
    must DISPATCH_FALLBACK 'none|local' 'none or local'
    must DISPATCH_STATE_DIR '/.*' 'an absolute path'
    if [[ $action == local || ${setting[DISPATCH_FALLBACK]} == local || -n $inbox ]]; then
        must DISPATCH_ENGINE_DIR '/.*' "the engine's checkout, as an absolute path"
    fi
    if [[ -n $inbox && -z ${setting[TG_COMMAND_IDS]} ]]; then
        problems+=('TG_COMMAND_IDS: not set: the ids of who may write to the bot, as 12345678,87654321')
    fi
    if [[ $action != local && $action != inbox ]]; then
        must DISPATCH_REPOSITORY "$REPOSITORY" 'write owner/name'
        must DISPATCH_WORKFLOW '[A-Za-z0-9_-][A-Za-z0-9_.-]*\.ya?ml' "the workflow's file name, as main.yml"
        must DISPATCH_REF "$REF" 'the branch that holds the workflow'
        must DISPATCH_TOKEN '[!-~]{20,}' 'a GitHub token with the repository permission Actions: write'
        must DISPATCH_API_URL "$host(/[A-Za-z0-9/]+)?|$test_host" 'an https address'
    fi
    for name in ATTEMPTS HTTP_TIMEOUT_S POLL_S START_LIMIT_S RUN_LIMIT_S HEARTBEAT_LIMIT_S TIME_SCALE; do
        must "DISPATCH_$name" '[1-9][0-9]{0,5}' 'a whole number above 0'
    done
    if ((!${#problems[@]})); then
        ((setting[DISPATCH_POLL_S] <= 60)) || problems+=("DISPATCH_POLL_S: at most 60")
        ((setting[DISPATCH_HTTP_TIMEOUT_S] <= 60)) || problems+=("DISPATCH_HTTP_TIMEOUT_S: at most 60")
        total=$((DISPATCH_BUDGET_S + setting[DISPATCH_START_LIMIT_S] + setting[DISPATCH_RUN_LIMIT_S]))
        ((total <= 3000)) || problems+=("DISPATCH_START_LIMIT_S + DISPATCH_RUN_LIMIT_S: more than 2400 s would meet the next hour")
    fi
    for name in curl flock; do command -v "$name" >/dev/null || problems+=("$name: not installed"); done
    ((${#problems[@]})) && refuse_settings
    return 0
}

# Say all problems; by Telegram too, if its own settings are good and somebody else is the reader.
refuse_settings() {
    printf 'dispatch.sh: %s\n' "${problems[@]}" >&2
    if [[ $action == inbox && ! "${problems[*]}" =~ STATE_DIR ]]; then
        setting[DISPATCH_TIME_SCALE]=1 setting[DISPATCH_HTTP_TIMEOUT_S]=30
        prepare
        printf -v REPLY '%s; ' "${problems[@]}"
        inbox_failed "$REPLY"
    elif [[ $action != check && $action != dry-run && ! "${problems[*]}" =~ TG_[TA]|TG_CHAT|STATE_DIR|SCALE|TIMEOUT|curl: ]]; then
        prepare
        printf -v REPLY '%s\n' "${problems[@]}"
        alert settings "$(say 'the settings of the dispatcher are wrong:' '调度器的配置有误：')"$'\n'"$REPLY"
    fi
    exit 2
}

prepare() {
    state=${setting[DISPATCH_STATE_DIR]}
    exec {never}<> <(:)
    mkdir -p "$state" 2>/dev/null || no_state folder
    rotate
}

# no_state WHAT: without the lock two starts could meet, so none is made; told on standard error and by Telegram.
no_state() {
    local where=$state
    state=''
    problems=("DISPATCH_STATE_DIR: the $1 cannot be made in $where: look at its owner and mode")
    printf 'dispatch.sh: %s\n' "${problems[0]}" >&2
    [[ $action == check || $action == inbox ]] || # the hour tells it
        alert settings "$(say 'the settings of the dispatcher are wrong:' '调度器的配置有误：')"$'\n'"${problems[0]}"
    exit 2
}

# --- --check and --dry-run --------------------------------------------------------------------------------------------

show_plan() {
    printf 'would POST %s/repos/%s/actions/workflows/%s/dispatches\n' "${setting[DISPATCH_API_URL]}" \
        "${setting[DISPATCH_REPOSITORY]}" "${setting[DISPATCH_WORKFLOW]}"
    printf 'ref %s, inputs slot=%s mode=%s\n' "${setting[DISPATCH_REF]}" "$slot" "${setting[DISPATCH_MODE]}"
    printf 'then follow the run for at most %s s to start and %s s to end; alerts go to Telegram\n' \
        "${setting[DISPATCH_START_LIMIT_S]}" "${setting[DISPATCH_RUN_LIMIT_S]}"
}

# verdict NAME FINDING: one line of the table, by the outcome of the command before it; so FINDING may run no command.
verdict() {
    if (($? == 0)); then
        printf 'ok    %-18s %s\n' "$1" "$2"
    else
        printf 'FAIL  %-18s %s\n' "$1" "$2"
        failed=1
    fi
}

check_everything() {
    failed=0
    local said expiry expires='' soon engine_dir=${setting[DISPATCH_ENGINE_DIR]}
    github GET ''; said=$(told)
    [[ $status == 200 ]] || said+=": $(meaning)"
    [[ $status == 200 ]]; verdict repository "$said"
    if [[ $status == 200 ]]; then
        [[ $body =~ \"private\"[[:space:]]*:[[:space:]]*true ]]
        verdict 'is private' 'a self-hosted runner must never serve a public repository'
    fi
    if header_value github-authentication-token-expiration; then
        expiry=${REPLY:0:10} expires=", expires $expiry"
        printf -v soon '%(%F)T' $(($(seconds) + 14 * 86400))
        [[ $expiry > $soon ]]; verdict 'token expiry' "$expiry; renew it 14 days before"
    fi
    github GET "actions/workflows/${setting[DISPATCH_WORKFLOW]}"; said=$(told)
    [[ $status == 200 ]] && field state active; verdict workflow "$said, must be 200 and active"
    # A branch that cannot exist: GitHub asks for the permission first, so 422 proves it and starts nothing.
    github POST "actions/workflows/${setting[DISPATCH_WORKFLOW]}/dispatches" '{"ref":"no..such..branch"}'; said=$(told)
    [[ $status == 422 ]]; verdict 'may start runs' "$said, must be 422 for a branch that does not exist$expires"
    telegram getMe '{}'; said=$(told)
    [[ $status == 200 ]]; verdict 'telegram token' "$said"
    telegram getChat "{\"chat_id\":\"${setting[TG_CHAT_ID]}\"}"; said=$(told)
    field migrate_to_chat_id '-?[0-9]+' && said+=': the group has a new id; the next alert in it names it: set TG_CHAT_ID'
    [[ $status == 200 ]]; verdict 'telegram chat' "$said"
    if [[ -n $engine_dir ]]; then
        [[ -x $engine_dir/.venv/bin/python && -f $engine_dir/main.py ]]
        verdict 'local engine' "$engine_dir: main.py and .venv/bin/python (make run ARGS=--help makes it)"
    fi
    [[ -z $inbox ]] || check_inbox
    return "$failed"
}

# What the inbox needs, without reading a message: one that is asked for without an offset is not confirmed.
check_inbox() {
    telegram getUpdates '{"limit":1,"timeout":0}'; said=$(told)
    [[ $status == 200 ]]; verdict 'inbox bot' "$said, must be 200; 409: a webhook, or another program, reads this bot"
    run_engine check.out "$CHECK_LIMIT_S" -m runtime --mode live status --json
    rm -f "$state/check.out"
    redact "exit $code${last:+: $last}"; said=${REPLY:0:300}
    ((code)) || said='the engine reads the account here'
    ((code == 0)); verdict 'inbox store' "$said"
}

# --- small things -----------------------------------------------------------------------------------------------------

# Milliseconds since some moment, into REPLY: on a clock that nobody sets, where the system tells one.
now_ms() {
    if { read -r REPLY _ </proc/uptime; } 2>/dev/null && [[ $REPLY =~ ^([0-9]+)\.([0-9][0-9])$ ]]; then
        REPLY=$((10#${BASH_REMATCH[1]}${BASH_REMATCH[2]}0))
    else
        REPLY=$((${EPOCHREALTIME/./} / 1000))
    fi
}

# elapsed SINCE_MS: whole seconds since then, into REPLY, on the clock that DISPATCH_TIME_SCALE runs faster in tests.
elapsed() {
    now_ms
    REPLY=$(((REPLY - $1) * setting[DISPATCH_TIME_SCALE] / 1000))
}

seconds() {
    printf '%(%s)T' -1
}

# pause SECONDS: without a process of its own, and a signal ends it.
pause() {
    local ms=$(($1 * 1000 / setting[DISPATCH_TIME_SCALE]))
    printf -v REPLY '%d.%03d' $((ms / 1000)) $((ms % 1000))
    read -rt "$REPLY" -u "$never" _
    return 0
}

json_text() {
    REPLY=${1//\\/\\\\}
    REPLY=${REPLY//\"/\\\"}
    REPLY=${REPLY//$'\n'/\\n}
    REPLY=${REPLY//[[:cntrl:]]/ }
}

config_text() {
    REPLY=${1//\\/\\\\}
    REPLY=${REPLY//\"/\\\"}
    REPLY=${REPLY//[[:cntrl:]]/ }
}

main "$@"
