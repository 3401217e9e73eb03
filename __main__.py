from trisparse.pipelines.cli import main

raise SystemExit(main())
