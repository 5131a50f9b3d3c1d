"""Finds or fetches the programs that Tsuji stands on and keeps processes alive.

How the parts go together, as `tsuji up` uses them:

    instance = Instance.locate(RuntimeSettings().home).create()      # home.py
    with instance.lock():                                            # InstanceBusyError if taken
        db = database.choose(DatabaseSettings(), instance, progress) # .url .description .notice .child
        mq = broker.choose(BrokerSettings(), instance, progress)     # the same
        with Supervisor(instance.log_folder, report) as supervisor, supervisor.signals():
            supervisor.add(db.child)                                 # None where it is somebody else's
            supervisor.wait_ready("database")
            supervisor.add(Child(name="ingest", command=(…), environment={"TSUJI_DATABASE_URL": db.url}))
            supervisor.stop_requested.wait()

Tests and benchmarks use `private_database()` and `private_broker()` of private.py.
"""
