"""Words that fill the templates of bench/cache/templates.py."""

from collections.abc import Mapping, Sequence


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: Mapping[str, Sequence[str]] = {
    "name": _words(
        "Omar Priya Chloe Marek Ines Tobias Aisha Felix Nora Hugo Leila Bruno Wanda Kenji Olga Pablo Greta Ivan Tessa"
        " Ronald Yara Simon Judith Arthur Maya Oscar Helen Victor Alice Bob Carol David Frank Grace"
    ),
    "surname": _words(
        "Hoffmann Okafor Silva Novak Chen Rossi Dubois Haddad Larsen Tanaka Kowalski Meyer Costa Bianchi Patel Khan"
    ),
    "job": _lines(
        """
        accountant
        baker
        carpenter
        dentist
        electrician
        farmer
        firefighter
        lawyer
        librarian
        mechanic
        midwife
        nurse
        painter
        pharmacist
        pilot
        plumber
        singer
        surgeon
        teacher
        translator
        waiter
        """
    ),
    "quality": _words(
        "famous retired talented young honest corrupt wealthy poor German Brazilian popular former freelance foreign"
        " successful licensed jealous amateur certified local"
    ),
    "trait": _words(
        "happy lazy patient confident tall rich creative religious humble angry productive anxious organised healthy"
        " strict generous curious sensitive cynical forgiving"
    ),
    "filler": _words("really actually truly just simply honestly basically literally"),
    "animal": _words("dog cat parrot horse rabbit turtle goldfish hamster sheep goat"),
    "place": _words("kitchen garden roof balcony cellar garage bathroom street porch stable"),
    "doing": _words("sleeping sitting hiding eating playing waiting lying standing"),
    "verb": _words(
        "admire/admired trust/trusted blame/blamed follow/followed insult/insulted envy/envied pay/paid hire/hired"
        " call/called miss/missed protect/protected teach/taught help/helped visit/visited hate/hated fear/feared"
        " hurt/hurt prefer/preferred"
    ),
    "taking": _words(
        "buy/bought sell/sold paint/painted repair/repaired build/built steal/stolen rent/rented clean/cleaned"
        " demolish/demolished photograph/photographed inspect/inspected burn/burnt hide/hidden"
    ),
    "thing": _words("house boat bridge painting tractor violin hotel bicycle statue garden truck tower"),
    "both_ways": _lines(
        """
        married to
        engaged to
        friends with
        related to
        a neighbour of
        a colleague of
        dating
        a cousin of
        similar to
        as old as
        in the same class as
        a twin of
        """
    ),
    "one_way": _lines(
        """
        taller than
        the boss of
        afraid of
        angry with
        in love with
        a fan of
        the father of
        jealous of
        stronger than
        waiting for
        shouting at
        better paid than
        cheating on
        a student of
        """
    ),
    "city": _words("Lisbon Oslo Cairo Lima Denver Kyoto Hanoi Dublin Vienna Nairobi Boston Seville Riga Perth Dakar"),
    "country": _words("Spain Kenya Peru Norway Canada Vietnam Poland Chile Egypt Japan Ireland Mexico Austria Ghana"),
    "currency": _words("dollars euros pounds yen rupees francs"),
    "unit": _words("kilometres miles metres feet inches kilograms pounds ounces litres gallons celsius fahrenheit"),
    "language": _words("French Polish Korean Swedish Arabic Dutch Greek Hindi Turkish Danish"),
    "phrase": _lines(
        """
        good night
        where is the station
        I am hungry
        happy birthday
        the bill please
        it is raining
        """
    ),
    "format": _words("JSON YAML CSV XML Markdown HTML TOML"),
    "program": _words("Python Java Rust Kotlin Ruby PHP Scala Haskell Perl"),
    "task": _lines(
        """
        read a file line by line
        reverse a string
        sort a dictionary by value
        send an email with an attachment
        parse a date
        remove duplicates from a list
        open a websocket
        compute a hash
        """
    ),
    "tool": _words("nginx kubernetes terraform ansible jenkins grafana rabbitmq postgres mongodb elasticsearch"),
    "trouble": _lines(
        """
        keeps restarting
        is very slow
        runs out of memory
        does not start after an update
        drops connections
        """
    ),
    "act": _lines(
        """
        stretch
        drink coffee
        take vitamins
        eat a big meal
        have a shower
        brush my teeth
        call the insurance
        change the oil
        restart the server
        make a backup
        """
    ),
    "event": _lines(
        """
        running
        going to bed
        the exam
        surgery
        the meeting
        a long flight
        breakfast
        deploying
        signing the contract
        moving out
        """
    ),
    "request": _lines(
        """
        transfer money abroad
        change my phone number
        register for the exam
        claim a refund
        grow tomatoes indoors
        fix a leaking tap
        learn to swim
        prepare for a marathon
        write a cover letter
        clean a leather sofa
        apply for a scholarship
        get rid of ants
        remove a wine stain
        cook brown rice
        set up a home office
        import a car
        """
    ),
    "topic": _lines(
        """
        climate change
        quantum computing
        the French revolution
        intermittent fasting
        machine learning
        the roman empire
        solar panels
        stock options
        black holes
        remote work
        dental implants
        renewable energy
        """
    ),
    "symptom": _lines(
        """
        knee
        back
        left ear
        stomach
        shoulder
        neck
        ankle
        right hand
        jaw
        heel
        """
    ),
    "sport": _words("tennis golf rugby skiing running cycling boxing yoga"),
    "audience": _lines(
        """
        a beginner
        a child
        an engineer
        my grandmother
        a lawyer
        a medical student
        """
    ),
    "year": _words("1995 2004 2012 2017 2019 2021 2023 2024"),
    "month": _words("January February April June July September October November December"),
    "day": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "number": _words("2 3 4 6 7 12 15 20 25 40 75 150 300"),
    "id": _words("40417 88213 77120 10934 55608 90021 31775 66402"),
    "version": _words("1.4 2.0 2.1 3.10 3.11 5.7 8.0 9.2"),
    "adjective": _words("dangerous legal healthy rude normal expensive wise useful illegal risky"),
    "habit": _lines(
        """
        eat eggs every day
        drive at night
        sleep on the floor
        skip lunch
        borrow money from friends
        swim in winter
        drink tap water
        work from a cafe
        """
    ),
    "opposite": _lines(
        """
        open/close
        enable/disable
        upload/download
        increase/decrease
        start/stop
        encrypt/decrypt
        install/uninstall
        lock/unlock
        add/remove
        import/export
        """
    ),
    "object": _lines(
        """
        the firewall
        my account
        the backup
        notifications
        the logs
        the schedule
        the file
        two-factor login
        """
    ),
    "counter": _lines(
        """
        polite/rude
        brave/cowardly
        optimistic/pessimistic
        active/passive
        visible/invisible
        patient/impatient
        dependent/independent
        responsible/irresponsible
        secure/insecure
        honest/dishonest
        emotional/rational
        """
    ),
    "same_word": _lines(
        """
        buy/purchase
        doctor/physician
        begin/start
        film/movie
        lawyer/attorney
        big/large
        car/automobile
        fix/repair
        assist/help
        vacation/holiday
        kid/child
        wages/salary
        """
    ),
    "group": _words("farmers scientists parents critics voters teachers engineers tourists"),
    "superlative": _lines(
        """
        best pianist
        worst politician
        most beautiful city
        greatest inventor
        strongest animal
        """
    ),
    "comparative": _words("heavier faster cheaper older taller louder safer"),
    "creature": _words("elephants rabbits whales bees lions snakes horses ducks frogs wolves"),
}
