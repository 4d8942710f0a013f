# shellcheck shell=bash
# DevStack plugin: Atelier beside the cloud's own services, with its users and in its catalogue. In local.conf:
#
#   [[local|localrc]]
#   enable_plugin atelier <address of this repository>
#
# devstack/settings has what can be set. DevStack loads that, and then this file once for each phase.

_ATELIER_XTRACE=$(set +o | grep xtrace)
set +o xtrace

function is_atelier_enabled {
    is_service_enabled atelier
}

# Whether a dialect was asked for.
function _atelier_speaks {
    [[ ",$ATELIER_DIALECTS," == *",$1,"* ]]
}

# Programs for sandboxes and languages, and Node's packages: the server's own Node is one of them.
function install_atelier {
    install_package bubblewrap slirp4netns iproute2 nodejs npm python3 python3-pip
    (cd "$ATELIER_DIR" && npm ci --omit=dev)
}

# The address of a port, as others see it.
function _atelier_url {
    echo "http://$ATELIER_HOST:$1"
}

# The user that tokens are checked as, and where the services are.
function create_atelier_accounts {
    create_service_user atelier
    if _atelier_speaks picasso; then
        _register_atelier picasso functions "Functions-as-a-Service" "$PICASSO_PORT"
    fi
    if _atelier_speaks qinling; then
        _register_atelier qinling function-engine "Function Service" "$QINLING_PORT"
    fi
    _register_atelier atelier faas "Functions as a service" "$ATELIER_PORT" /v1
}

# name type description port [path]
function _register_atelier {
    local url
    url="$(_atelier_url "$4")${5:-}"
    get_or_create_service "$1" "$2" "$3"
    get_or_create_endpoint "$2" "$REGION_NAME" "$url" "$url" "$url"
}

# The dialects with their ports, as the setting wants them.
function _atelier_dialects {
    local dialects=()
    _atelier_speaks picasso && dialects+=("picasso:$PICASSO_PORT")
    _atelier_speaks qinling && dialects+=("qinling:$QINLING_PORT")
    (IFS=,; echo "${dialects[*]}")
}

# The server's file of settings, and the password of its user beside it.
function configure_atelier {
    local password=$ATELIER_CONF_DIR/keystone.password
    sudo install -d -m 755 "$ATELIER_CONF_DIR"
    sudo install -d -m 700 "$ATELIER_DATA_DIR"
    sudo install -m 600 /dev/null "$password"
    printf '%s\n' "$SERVICE_PASSWORD" | sudo tee "$password" >/dev/null
    sudo tee "$ATELIER_CONF" >/dev/null <<EOF
home: $ATELIER_DATA_DIR
host: "$ATELIER_LISTEN"
port: $ATELIER_PORT
router-port: $ATELIER_ROUTER_PORT
api-url: $(_atelier_url "$ATELIER_PORT")
router-url: $(_atelier_url "$ATELIER_ROUTER_PORT")
dialects: "$(_atelier_dialects)"
log-level: $ATELIER_LOG_LEVEL
identity: keystone
keystone-endpoint: $KEYSTONE_SERVICE_URI/v3
keystone-user: atelier
keystone-password-file: $password
keystone-project: $SERVICE_PROJECT_NAME
EOF
}

# As root: each function gets a user of its own.
function start_atelier {
    run_process atelier "$ATELIER_DIR/node_modules/.bin/node $ATELIER_DIR/bin/atelier.js server --config $ATELIER_CONF" root root
    if ! wait_for_service "${SERVICE_TIMEOUT:-60}" "$(_atelier_url "$ATELIER_PORT")/readyz"; then
        die $LINENO "Atelier did not start: journalctl --unit devstack@atelier"
    fi
}

function stop_atelier {
    stop_process atelier
}

function cleanup_atelier {
    sudo rm -rf "$ATELIER_DATA_DIR" "$ATELIER_CONF_DIR"
}

if is_atelier_enabled; then
    case "${1:-} ${2:-}" in
        "stack install")
            echo_summary "Installing Atelier"
            install_atelier
            ;;
        "stack post-config")
            echo_summary "Configuring Atelier"
            create_atelier_accounts
            configure_atelier
            ;;
        "stack extra")
            echo_summary "Starting Atelier"
            start_atelier
            ;;
    esac
    case "${1:-}" in
        unstack) stop_atelier ;;
        clean) cleanup_atelier ;;
    esac
fi

$_ATELIER_XTRACE
