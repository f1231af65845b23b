"""How does the daemon show itself, and take orders?

    ports            what the daemon lends to this room, and what it can be asked to do
    views/           world -> answers, pure; `models` are their shapes, `story` their prose, `documents` the state files
    app              the application: the routes below, and what stands around them
    reads, controls, pages, stream     the routes: facts, orders, the page and its login, the live events
    auth             who may
    shield           headers, host names and body sizes, before anything else looks
    bodies           what a request brings, once its head was judged
    connection       one client's connection: how long it may keep us waiting
    problems         errors as RFC 9457 wants them
    listener         sockets, and the server on them

The only room that knows the web framework, and nothing is imported here: it costs half a second, which no verb
but the daemon pays.
"""
